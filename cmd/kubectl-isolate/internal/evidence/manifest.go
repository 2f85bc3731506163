package evidence

import "time"

// ManifestName is the manifest's name in the archive. It is the last file.
const ManifestName = "manifest.json"

// Format identifies the format of the archives of this package.
const Format = "isolate.example.io/evidence/v1"

// Manifest lists what an archive contains, and what is missing.
type Manifest struct {
	Format    string    `json:"format"`
	Collector Collector `json:"collector"`
	Cluster   Cluster   `json:"cluster"`
	Pod       Pod       `json:"pod"`
	Started   time.Time `json:"started"`
	Finished  time.Time `json:"finished"`

	// MaxBytes bounds each file, MaxTotalBytes all of them together.
	MaxBytes      int64 `json:"maxBytes"`
	MaxTotalBytes int64 `json:"maxTotalBytes"`

	Files   []File    `json:"files"`
	Missing []Missing `json:"missing,omitempty"`
}

// Collector is who collected, with which program.
type Collector struct {
	User    string `json:"user,omitempty"`
	Version string `json:"version"`
}

// Cluster is where the pod ran.
type Cluster struct {
	Server  string `json:"server"`
	Version string `json:"version,omitempty"`
}

// Pod is what the evidence is about.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// File is one file of the archive.
type File struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`

	// Cut says that the file ends at a limit, not where its source ends.
	Cut bool `json:"cut,omitempty"`
	// Error says why the file ends before its source does.
	Error string `json:"error,omitempty"`
}

// Missing is something that was requested and could not be read.
type Missing struct {
	Name   string `json:"name"`
	Source string `json:"source"`

	// Reason is the API server's reason: Forbidden, NotFound, BadRequest.
	Reason  string `json:"reason"`
	Message string `json:"message"`
}
