package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"maps"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/package-url/packageurl-go"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// noAssertion is what SPDX calls a value that the author does not know.
const noAssertion = "NOASSERTION"

func sbomFile(artifact string) string {
	artifact = strings.TrimSuffix(strings.TrimSuffix(artifact, ".tar.gz"), ".tar")
	return artifact + ".spdx.json"
}

// bill collects the SPDX document about one artifact. It lists the modules that the linker
// noted in the programs: what is really in them, and not what go.mod could add.
//
// It uses SPDX's own library and not a generator, because those date and number each
// document anew, so that no two are the same.
type bill struct {
	version string
	doc     *spdx.Document
	modules map[common.ElementID]bool
}

// sbom returns the document about an artifact with these programs.
func (r *release) sbom(artifact string, created time.Time, programs map[string]*buildinfo.BuildInfo) ([]byte, error) {
	b := &bill{version: r.version, modules: map[common.ElementID]bool{}, doc: &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: artifact,
		DocumentNamespace: r.downloads + "/" + r.version + "/" + sbomFile(artifact),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Organization", Creator: "isolate"}, {CreatorType: "Tool", Creator: "isolate-dist"}},
			Created:  created.UTC().Format(time.RFC3339),
		},
	}}
	root := b.own(artifact, "ARCHIVE")
	sum, err := r.sum(artifact)
	if err != nil {
		return nil, err
	}
	b.doc.Packages[0].PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sum}}
	b.relate("DOCUMENT", common.TypeRelationshipDescribe, root)
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		program := b.own(path.Base(name), "APPLICATION")
		b.relate(root, common.TypeRelationshipContains, program)
		info := programs[name]
		b.relate(program, common.TypeRelationshipDependsOn, b.module("stdlib", strings.TrimPrefix(info.GoVersion, "go")))
		for _, module := range info.Deps {
			b.relate(program, common.TypeRelationshipDependsOn, b.dependency(module))
		}
	}
	var out bytes.Buffer
	if err := spdxjson.Write(b.doc, &out, spdxjson.Indent("  ")); err != nil {
		return nil, fmt.Errorf("writing the SBOM of %s: %w", artifact, err)
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n'), nil
}

// own adds something that isolate itself is, and returns its ID.
func (b *bill) own(name, purpose string) common.ElementID {
	id := elementID(name)
	b.doc.Packages = append(b.doc.Packages, &spdx.Package{
		PackageName: name, PackageSPDXIdentifier: id, PackageVersion: b.version, PrimaryPackagePurpose: purpose,
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: "Apache-2.0",
		PackageCopyrightText: noAssertion,
	})
	return id
}

// dependency adds a module that a program has, and returns its ID. A module that is
// replaced by a folder is one of isolate's own.
func (b *bill) dependency(module *debug.Module) common.ElementID {
	if replaced := module.Replace; replaced != nil {
		if replaced.Version == "" {
			return b.module(module.Path, b.version)
		}
		module = replaced
	}
	return b.module(module.Path, module.Version)
}

func (b *bill) module(modulePath, version string) common.ElementID {
	id := elementID(modulePath + "-" + version)
	if b.modules[id] {
		return id
	}
	b.modules[id] = true
	namespace, name := path.Split(modulePath)
	b.doc.Packages = append(b.doc.Packages, &spdx.Package{
		PackageName: modulePath, PackageSPDXIdentifier: id, PackageVersion: version, PrimaryPackagePurpose: "LIBRARY",
		PackageDownloadLocation: noAssertion, PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion,
		PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL,
			Locator: packageurl.NewPackageURL(packageurl.TypeGolang, strings.TrimSuffix(namespace, "/"), name, version, nil, "").ToString(),
		}},
	})
	return id
}

func (b *bill) relate(from common.ElementID, relationship string, to common.ElementID) {
	b.doc.Relationships = append(b.doc.Relationships, &spdx.Relationship{
		RefA: common.DocElementID{ElementRefID: from}, RefB: common.DocElementID{ElementRefID: to}, Relationship: relationship,
	})
}

var notInElementIDs = regexp.MustCompile(`[^a-zA-Z0-9.-]`)

func elementID(name string) common.ElementID {
	return common.ElementID("Package-" + notInElementIDs.ReplaceAllString(name, "-"))
}
