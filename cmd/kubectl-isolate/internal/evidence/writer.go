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

// errCut is the error of a write beyond a limit.
var errCut = errors.New("cut at the limit")

// Writer writes an archive. It writes each file to a temporary file first, because a tar
// header contains the size. So its memory does not grow with the size.
type Writer struct {
	// Manifest is filled as files are added. The caller fills in the rest.
	Manifest Manifest

	clock clock.PassiveClock
	gzip  *gzip.Writer
	tar   *tar.Writer
	spool *os.File
	left  int64
}

// NewWriter returns a writer to out. The manifest has the limits.
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

// Add adds the output of write as a file, cut at the limits. It returns an error only if it
// can't write the archive. An error of write goes into the manifest, with what reason
// returns for it.
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

// Miss adds something that could not be collected to the manifest.
func (w *Writer) Miss(name, source, reason string, err error) {
	w.Manifest.Missing = append(w.Manifest.Missing, Missing{Name: name, Source: source, Reason: reason, Message: err.Error()})
}

// Close writes the manifest and completes the archive. It does not close out.
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

// Discard removes the temporary file. It must be called in any case.
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

// now returns the time in the precision of archives.
func now(local clock.PassiveClock) time.Time { return local.Now().UTC().Truncate(time.Second) }

// limitedWriter fails after a number of bytes, so that the source is not read any further.
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
