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
	"os"
	"time"

	"k8s.io/utils/clock"
)

// errCut ends what is written at a limit.
var errCut = errors.New("cut at the limit")

// Writer writes an archive. Each file goes through a temporary file, because a tar
// names a file's size before its content; memory does not grow with the size.
type Writer struct {
	// Manifest is filled as files are added. The caller fills in the rest.
	Manifest Manifest

	clock clock.PassiveClock
	gzip  *gzip.Writer
	tar   *tar.Writer
	spool *os.File
	left  int64
}

// NewWriter writes to out. The manifest has the limits.
func NewWriter(out io.Writer, manifest Manifest, local clock.PassiveClock) (*Writer, error) {
	spool, err := os.CreateTemp("", "kubectl-isolate-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", err)
	}
	manifest.Format, manifest.Started = Format, now(local)
	compressed := gzip.NewWriter(out)
	return &Writer{
		Manifest: manifest, clock: local, spool: spool, left: manifest.MaxTotalBytes,
		gzip: compressed, tar: tar.NewWriter(compressed),
	}, nil
}

// Add adds what write writes as a file, cut at the limits. It returns an error only
// where the archive itself can't be written: an error of write becomes part of the
// manifest, and reason is the word for it.
func (w *Writer) Add(name, source string, write func(io.Writer) error, reason func(error) string) error {
	if _, err := w.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.spool.Truncate(0); err != nil {
		return err
	}
	sum := sha256.New()
	limited := &limitedWriter{to: io.MultiWriter(w.spool, sum), left: min(w.Manifest.MaxBytes, w.left)}
	failure := write(limited)
	if limited.err != nil {
		return fmt.Errorf("writing a temporary file: %w", limited.err)
	}
	file := File{Name: name, Source: source, SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: limited.written, Cut: limited.cut}
	if failure != nil && !limited.cut {
		if limited.written == 0 {
			w.Miss(name, source, reason(failure), failure)
			return nil
		}
		file.Error = failure.Error()
	}
	if _, err := w.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w.left -= file.Bytes
	w.Manifest.Files = append(w.Manifest.Files, file)
	return w.write(name, file.Bytes, w.spool)
}

// Miss notes what could not be collected.
func (w *Writer) Miss(name, source, reason string, err error) {
	w.Manifest.Missing = append(w.Manifest.Missing, Missing{Name: name, Source: source, Reason: reason, Message: err.Error()})
}

// Close writes the manifest and ends the archive. The writer below stays open.
func (w *Writer) Close() error {
	w.Manifest.Finished = now(w.clock)
	manifest, err := json.MarshalIndent(w.Manifest, "", "  ")
	if err != nil {
		return err
	}
	if _, err := w.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.spool.Truncate(0); err != nil {
		return err
	}
	if _, err := w.spool.Write(append(manifest, '\n')); err != nil {
		return err
	}
	if _, err := w.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.write(ManifestName, int64(len(manifest)+1), w.spool); err != nil {
		return err
	}
	return errors.Join(w.tar.Close(), w.gzip.Close())
}

// Discard removes the temporary file. Call it in any case.
func (w *Writer) Discard() {
	_ = w.spool.Close()
	_ = os.Remove(w.spool.Name())
}

func (w *Writer) write(name string, size int64, content io.Reader) error {
	header := &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: now(w.clock), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(w.tar, content)
	return err
}

// now is a time as archives have it.
func now(local clock.PassiveClock) time.Time { return local.Now().UTC().Truncate(time.Second) }

// limitedWriter takes so many bytes, and then fails: whoever writes stops reading.
type limitedWriter struct {
	to            io.Writer
	left, written int64
	cut           bool
	err           error
}

func (l *limitedWriter) Write(data []byte) (int, error) {
	if int64(len(data)) > l.left {
		l.cut, data = true, data[:l.left]
	}
	n, err := l.to.Write(data)
	l.left -= int64(n)
	l.written += int64(n)
	if err != nil {
		l.err = err
		return n, err
	}
	if l.cut {
		return n, errCut
	}
	return n, nil
}
