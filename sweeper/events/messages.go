package events

const logDropped = "Dropped an event that could not be published"
