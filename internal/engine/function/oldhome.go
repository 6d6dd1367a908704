package function

import "github.com/TrilliantHealth/mops-go/internal/records/memokey"

// oldHome is an earlier place of the function's results.
type oldHome struct {
	memokey.Home
	hashers hashers
}

// OldPlace is the place of a call's result if it was computed before the
// function moved.
type OldPlace struct {
	Root string // URI
	Path string // memo path
	Key  memokey.Key

	home oldHome
}

// ReadFrom names earlier places of the function's results. It must come before
// Prepare.
func (f *Function) ReadFrom(homes ...memokey.Home) {
	for _, home := range homes {
		f.homes = append(f.homes, oldHome{Home: home})
	}
}

// OldPlaces are those of a call with that canonical input, after Prepare. Types
// and callees count as they are now.
func (f *Function) OldPlaces(input []byte) []OldPlace {
	places := make([]OldPlace, len(f.homes))
	for i, home := range f.homes {
		places[i] = home.place(home.hashers.usual.Key(input))
	}
	return places
}

// Exact is the place under the exact key; see [Function.ExactKey].
func (p OldPlace) Exact(input []byte) OldPlace { return p.home.place(p.home.hashers.exact.Key(input)) }

func (h oldHome) place(key memokey.Key) OldPlace {
	return OldPlace{Root: h.Root, Path: memokey.Path(h.Pipeline, h.Name, h.Version, key), Key: key, home: h}
}
