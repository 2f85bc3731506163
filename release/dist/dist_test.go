package main

import (
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
	"github.com/stretchr/testify/require"
)

var (
	architectures = flag.String("architectures", runtime.GOARCH, "the architectures of the image, separated by commas; each but this machine's takes minutes the first time")
	platforms     = flag.String("platforms", "linux/"+runtime.GOARCH, "the platforms of the plugin, separated by commas")
)

const (
	version    = "v1.2.3"
	repository = "registry.example.com/team/isolate"
)

// checkout is a copy of this checkout, with everything committed.
type checkout struct {
	t   *testing.T
	dir string
}

// newCheckout returns a copy whose changelog has this version.
func newCheckout(t *testing.T) checkout {
	t.Helper()
	c := checkout{t, t.TempDir()}
	source, err := filepath.Abs("../..")
	require.NoError(t, err)
	copied := exec.CommandContext(t.Context(), "bash", "-c",
		`git -C "$0" ls-files -z --cached --others --exclude-standard | tar -C "$0" --ignore-failed-read --null --files-from=- -cf - | tar -C "$1" -xf -`, source, c.dir)
	out, err := copied.CombinedOutput()
	require.NoError(t, err, string(out))
	changelog := c.read("CHANGELOG.md")
	require.Contains(t, changelog, "## [Unreleased]\n")
	c.write("CHANGELOG.md", strings.Replace(changelog, "## [Unreleased]\n", "## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n", 1))
	c.git("init", "--quiet", "--initial-branch=main")
	c.commit()
	return c
}

func (c checkout) git(args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", append([]string{"-c", "user.name=jane", "-c", "user.email=jane@example.com"}, args...)...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, string(out))
	return strings.TrimSpace(string(out))
}

func (c checkout) commit() {
	c.t.Helper()
	c.git("add", "--all")
	c.git("commit", "--quiet", "--message=A commit")
}

func (c checkout) read(file string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, file))
	require.NoError(c.t, err)
	return string(data)
}

func (c checkout) write(file, text string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, file), []byte(text), 0o600))
}

// run runs the command in the checkout.
func (c checkout) run(command string, flags ...string) error {
	c.t.Helper()
	return run(c.t.Context(), append([]string{
		command, "--root=" + c.dir, "--output=" + filepath.Join(c.dir, "dist"), "--version=" + version, "--image=" + repository,
		"--architectures=" + *architectures, "--platforms=" + *platforms,
	}, flags...))
}

// tagged makes the tag and checks it out.
func (c checkout) tagged() checkout {
	c.t.Helper()
	c.t.Setenv("GIT_COMMITTER_NAME", "jane")
	c.t.Setenv("GIT_COMMITTER_EMAIL", "jane@example.com")
	c.t.Setenv("GIT_AUTHOR_NAME", "jane")
	c.t.Setenv("GIT_AUTHOR_EMAIL", "jane@example.com")
	require.NoError(c.t, c.run("tag"))
	c.git("checkout", "--quiet", version)
	return c
}

func TestTheTagNamesItsImageAndTheBranchDoesNot(t *testing.T) {
	c := newCheckout(t).tagged()
	require.Equal(t, kustomization, c.git("diff", "--name-only", "main", version))
	require.Contains(t, c.git("show", version+":"+kustomization), "newName: "+repository+"\n  newTag: "+version)
	r := release{root: c.dir, version: version}
	var err error
	r.image, err = name.NewRepository(repository)
	require.NoError(t, err)
	for _, overlay := range installations {
		text, err := r.installation(overlay, "sha256:0")
		require.NoError(t, err)
		require.Equal(t, 2, strings.Count(text, "image: "+repository+":"+version+"@sha256:0\n"))
	}
	c.git("checkout", "--quiet", "main")
	require.Empty(t, c.git("status", "--porcelain"))
	require.NotContains(t, c.read(kustomization), "images:")
	require.EqualError(t, c.run("tag"), "the tag v1.2.3 exists already, and a tag is never moved. Choose the next version")
}

func TestARelease(t *testing.T) {
	c := newCheckout(t).tagged()
	require.NoError(t, c.run("build"))
	require.NoError(t, c.run("verify"))
	t.Run("twice the same bytes, in another folder", func(t *testing.T) { requireSameBytes(t, checkout{t, c.dir}) })
	t.Run("the SBOMs are SPDX and list the modules", func(t *testing.T) { requireBills(t, checkout{t, c.dir}) })
	t.Run("the chart has the image by its digest", func(t *testing.T) {
		template := exec.CommandContext(t.Context(), "go", "run", ".", "template", "isolate", filepath.Join(c.dir, "dist/isolate-1.2.3.tgz"))
		template.Dir = "../../test/cmd/helm"
		out, err := template.Output()
		require.NoError(t, err)
		_, digest, _ := strings.Cut(strings.TrimSpace(c.read("dist/image-reference.txt")), "@")
		require.Equal(t, 3, strings.Count(string(out), "image: "+repository+"@"+digest+"\n"), "two Deployments and the chart's test")
	})
	t.Run("the notes have the changelog and the image", func(t *testing.T) {
		notes := c.read("dist/release-notes.md")
		require.Contains(t, notes, "### Added")
		require.NotContains(t, notes, "## [")
		require.Contains(t, notes, strings.TrimSpace(c.read("dist/image-reference.txt")))
	})
	t.Run("every change of the files is noticed", func(t *testing.T) { requireTamperingNoticed(t, checkout{t, c.dir}) })
	t.Run("a registry gets the same image and gives it back", func(t *testing.T) { requirePushed(t, checkout{t, c.dir}) })
}

func requireSameBytes(t *testing.T, one checkout) {
	other := checkout{t, filepath.Join(t.TempDir(), "elsewhere")}
	one.git("clone", "--quiet", "--branch="+version, ".", other.dir)
	require.NoError(t, other.run("build"))
	require.Equal(t, one.read("dist/SHA256SUMS"), other.read("dist/SHA256SUMS"))
	require.NoError(t, other.run("verify"))
}

func requireBills(t *testing.T, c checkout) {
	for file, module := range map[string]string{
		"isolate-image-" + runtime.GOARCH:         "sigs.k8s.io/controller-runtime",
		"kubectl-isolate-linux-" + runtime.GOARCH: "k8s.io/cli-runtime",
	} {
		doc, err := spdxjson.Read(strings.NewReader(c.read("dist/" + file + ".spdx.json")))
		require.NoError(t, err)
		require.NoError(t, spdxlib.ValidateDocument(doc))
		described, err := spdxlib.GetDescribedPackageIDs(doc)
		require.NoError(t, err)
		require.Len(t, described, 1)
		require.Contains(t, c.read("dist/SHA256SUMS"), doc.Packages[0].PackageChecksums[0].Value+"  "+doc.Packages[0].PackageName+"\n")
		purls := map[string]string{}
		for _, p := range doc.Packages {
			for _, reference := range p.PackageExternalReferences {
				purls[p.PackageName] = reference.Locator
			}
		}
		require.Regexp(t, `^pkg:golang/`+module+`@v\d`, purls[module])
		require.Regexp(t, `^pkg:golang/stdlib@1\.`, purls["stdlib"])
		require.NotContains(t, purls, "github.com/stretchr/testify", "what only tests need is not in the programs")
	}
}

func requireTamperingNoticed(t *testing.T, c checkout) {
	sums := c.read("dist/SHA256SUMS")
	for line := range strings.Lines(sums) {
		_, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		path := filepath.Join("dist", file)
		original := c.read(path)
		c.write(path, original+" ")
		require.EqualError(t, c.run("verify"), file+" is not the file that SHA256SUMS lists: its SHA-256 differs")
		c.write(path, original)
	}
	notes := c.read("dist/release-notes.md")
	require.NoError(t, os.Remove(filepath.Join(c.dir, "dist/release-notes.md")))
	require.EqualError(t, c.run("verify"), "release-notes.md is missing in the release")
	c.write("dist/release-notes.md", notes)
	c.write("dist/more.txt", "")
	require.EqualError(t, c.run("verify"), "more.txt is not a file of the release")
	require.NoError(t, os.Remove(filepath.Join(c.dir, "dist/more.txt")))

	// An attacker who changes a file can change its sum, too.
	for file, problem := range map[string]string{
		"install.yaml":                         "install.yaml is not what this commit builds: it differs from what the archives and the commit give",
		"isolate-1.2.3.tgz":                    "isolate-1.2.3.tgz is not what this commit builds: it differs from the chart of this commit with the release's image",
		"release-notes.md":                     "release-notes.md is not what this commit builds: it differs from what the archives and the commit give",
		"isolate-pod.yaml":                     "isolate-pod.yaml does not have the address and the sum of kubectl-isolate-linux-" + runtime.GOARCH + ".tar.gz:",
		"isolate-image.tar":                    "reading isolate-image.tar: ",
		sbomFile(imageArchive(runtime.GOARCH)): "isolate-image-" + runtime.GOARCH + ".spdx.json is not what this commit builds: ",
	} {
		path := filepath.Join("dist", file)
		original := c.read(path)
		c.write(path, strings.ReplaceAll(original, "a", "b"))
		c.resum()
		require.ErrorContains(t, c.run("verify"), problem)
		c.write(path, original)
	}
	c.write("dist/SHA256SUMS", sums)
	require.NoError(t, c.run("verify"))
}

// resum writes the sums of the files as they are.
func (c checkout) resum() {
	c.t.Helper()
	r := release{output: filepath.Join(c.dir, "dist"), version: version, architectures: strings.Split(*architectures, ","), platforms: strings.Split(*platforms, ",")}
	require.NoError(c.t, r.writeSums())
}

func requirePushed(t *testing.T, c checkout) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	require.NoError(t, c.run("push", "--image="+host+"/team/isolate", "--insecure"))
	want := strings.TrimSpace(c.read("dist/image-reference.txt"))
	_, digest, _ := strings.Cut(want, "@")
	for _, reference := range []string{host + "/team/isolate:" + version, host + "/team/isolate@" + digest} {
		parsed, err := name.ParseReference(reference)
		require.NoError(t, err)
		index, err := remote.Index(parsed)
		require.NoError(t, err)
		require.NoError(t, validate.Index(index))
		pulled, err := index.Digest()
		require.NoError(t, err)
		require.Equal(t, digest, pulled.String())
	}
	chart, err := name.ParseReference(host + "/team/charts/isolate:1.2.3")
	require.NoError(t, err)
	image, err := remote.Image(chart)
	require.NoError(t, err)
	manifest, err := image.Manifest()
	require.NoError(t, err)
	require.EqualValues(t, "application/vnd.cncf.helm.config.v1+json", manifest.Config.MediaType)
	require.Len(t, manifest.Layers, 1)
	require.Contains(t, c.read("dist/SHA256SUMS"), manifest.Layers[0].Digest.Hex+"  isolate-1.2.3.tgz\n")
}
