package clocksteps

const (
	logStepped      = "A clock was set; checking all quarantined pods again"
	logUncomparable = "Could not compare the clocks; retrying"
)
