package memo

import (
	"fmt"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Locations writes the places of sources the way headers have them.
func Locations(locations []source.Location) []record.SourceLocation {
	listed := make([]record.SourceLocation, 0, len(locations))
	for _, l := range locations {
		listed = append(listed, record.SourceLocation{Hash: l.Hash.String(), Kind: string(l.Kind), Size: l.Size, Location: l.At})
	}
	return listed
}

// BindSources tells sources that were decoded from a record of this call where
// their bytes are.
func (p Place) BindSources(files *source.Files, refs []*source.Ref, listed []record.SourceLocation) error {
	locations := make([]source.Location, 0, len(listed))
	for _, l := range listed {
		location := source.Location{Identity: source.Identity{Kind: source.Kind(l.Kind), Size: l.Size}, At: l.Location}
		if err := location.Hash.UnmarshalText([]byte(l.Hash)); err != nil {
			return fmt.Errorf("the header names a source by %q, which is no hash: %w", l.Hash, err)
		}
		locations = append(locations, location)
	}
	return files.Bind(p.Store, p.Path, refs, locations)
}

// BindResult is BindSources for the result that they were decoded from.
func (f Found) BindResult(p Place, files *source.Files, refs []*source.Ref) error {
	var header record.ResultHeader
	if err := f.Into(&header); err != nil {
		return err
	}
	files.Adopt(refs, f.Own)
	return p.BindSources(files, refs, header.Sources)
}

// WhereTheyAre are the places of sources that are not kept in a store.
func WhereTheyAre(refs []*source.Ref) []record.SourceLocation {
	listed := make([]record.SourceLocation, 0, len(refs))
	for _, ref := range refs {
		id, _ := ref.Identity()
		listed = append(listed, record.SourceLocation{Hash: id.Hash.String(), Kind: string(id.Kind), Size: id.Size, Location: ref.URI()})
	}
	return listed
}
