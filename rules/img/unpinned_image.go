package img

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unpinned_image.md
var unpinnedImagePage string

// UnpinnedImage flags images that may change between two starts.
var UnpinnedImage = rules.Rule{
	ID:         "unpinned-image",
	Title:      "Container image is not pinned to a digest",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{1357, 494},
	Covers:     []string{"IMG-008"},
	Page:       unpinnedImagePage,
	Check:      checkUnpinnedImage,
}

func checkUnpinnedImage(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, image := range s.Images {
			if image.Pin == analyzers.PinDigest || image.Repository == "" {
				continue
			}
			pass.Report(rules.OnServer(s, image.Spec.Span, image.PURL,
				"server %q starts whatever image %q has at that moment. Write its digest, name@sha256:...", s.Name, image.Spec))
		}
	}
}
