// Command dist makes and checks what a release publishes: every file of the folder dist/,
// and the commit of the tag.
//
//	dist tag     commits the manifests with the release's image, beside the branch, and tags that commit
//	dist build   writes the folder, from the tag that is checked out
//	dist verify  checks the folder against the tag that is checked out
//	dist push    pushes the image and the chart of the folder to a registry
//
// The same tag and the same compiler give the same bytes: nothing in the folder depends on
// the time, the machine or the user.
package main
