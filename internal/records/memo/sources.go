package memo

import (
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Locations writes the places of sources the way headers of this call have them.
func (p Place) Locations(refs []*source.Ref, locations []source.Location) []record.SourceLocation {
	listed := make([]record.SourceLocation, 0, len(locations))
	for i, l := range locations {
		from := refs[i].From()
		listed = append(listed, record.SourceLocation{
			Hash: l.Hash.String(), Kind: string(l.Kind), Size: l.Size, Location: l.At, From: Place{Store: from.Store, Path: from.Path}.NameIn(p.Store),
		})
	}
	return listed
}

// from reads what a header of this call names another call by.
func (p Place) from(name string) source.From {
	if strings.Contains(name, "://") {
		return source.From{Path: name}
	}
	return source.From{Store: p.Store, Path: name}
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
	if err := files.Bind(p.Store, p.Path, refs, locations); err != nil {
		return err
	}
	for i, l := range listed {
		if l.From != "" && i < len(refs) && refs[i].Hash() == locations[i].Hash { // both are in order of appearance
			refs[i].ReadFrom(p.from(l.From))
		}
	}
	return nil
}

// BindResult is BindSources for the result that they were decoded from.
func (f Found) BindResult(p Place, files *source.Files, refs []*source.Ref) error {
	var header record.ResultHeader
	if err := f.Into(&header); err != nil {
		return err
	}
	files.Adopt(refs, f.Own)
	if err := p.BindSources(files, refs, header.Sources); err != nil {
		return err
	}
	if p.Store != nil && f.Own == nil { // there is a result to read them from
		for _, ref := range refs {
			ref.ReadFrom(source.From{Store: p.Store, Path: p.Path})
		}
	}
	return nil
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
