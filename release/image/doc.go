// Command image writes isolate's image as OCI archives, without a container engine:
// one archive for each platform, and one with an index of them all.
//
// The image is what the Dockerfile describes: the three programs that
// release/programs.sh builds, a numeric user, and nothing else. It is reproducible: the
// same sources, version and compiler give the same digest.
//
// An archive is a tar of an OCI image layout, as "ctr images import" and
// "kind load image-archive" take it. An archive of a single platform also has the
// manifest.json by which "docker load" finds the image.
package main
