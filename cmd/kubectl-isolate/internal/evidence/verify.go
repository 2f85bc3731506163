package evidence

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// maxManifest bounds the size of a manifest.
const maxManifest = 64 << 20

// Verify reads an archive, and returns its manifest and all differences between the two. It
// returns an error if the input is not an archive of this package.
func Verify(archive io.Reader) (manifest *Manifest, differences []string, err error) {
	compressed, err := gzip.NewReader(archive)
	if err != nil {
		return nil, nil, fmt.Errorf("not a gzip file: %w", err)
	}
	defer compressed.Close()
	found := map[string]File{}
	reader := tar.NewReader(compressed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the archive can't be read to its end: %w", err)
		}
		if header.Name == ManifestName {
			if manifest, err = readManifest(reader); err != nil {
				return nil, nil, err
			}
			continue
		}
		sum := sha256.New()
		size, err := io.Copy(sum, reader) //nolint:gosec // Only its checksum is kept, so its size does not matter.
		if err != nil {
			return nil, nil, fmt.Errorf("the archive can't be read to its end: %w", err)
		}
		if _, twice := found[header.Name]; twice {
			differences = append(differences, header.Name+": is there twice")
		}
		found[header.Name] = File{SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: size}
	}
	// The gzip file's own checksum comes after the last file.
	if _, err := io.Copy(io.Discard, compressed); err != nil { //nolint:gosec // As above.
		return nil, nil, fmt.Errorf("the archive can't be read to its end: %w", err)
	}
	if manifest == nil {
		return nil, nil, fmt.Errorf("there is no %s: kubectl isolate collect did not write this, or it was cut", ManifestName)
	}
	return manifest, append(differences, compare(manifest, found)...), nil
}

func readManifest(from io.Reader) (*Manifest, error) {
	manifest := &Manifest{}
	if err := json.NewDecoder(io.LimitReader(from, maxManifest)).Decode(manifest); err != nil {
		return nil, fmt.Errorf("reading %s: %w", ManifestName, err)
	}
	if manifest.Format != Format {
		return nil, fmt.Errorf("%s has the format %q, and this program reads %q", ManifestName, manifest.Format, Format)
	}
	return manifest, nil
}

func compare(manifest *Manifest, found map[string]File) (differences []string) {
	for _, want := range manifest.Files {
		have, ok := found[want.Name]
		delete(found, want.Name)
		switch {
		case !ok:
			differences = append(differences, want.Name+": is missing")
		case have.Bytes != want.Bytes:
			differences = append(differences, fmt.Sprintf("%s: has %d bytes, not %d", want.Name, have.Bytes, want.Bytes))
		case have.SHA256 != want.SHA256:
			differences = append(differences, fmt.Sprintf("%s: has the SHA-256 sum %s, not %s", want.Name, have.SHA256, want.SHA256))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		differences = append(differences, name+": is not in the manifest")
	}
	return differences
}
