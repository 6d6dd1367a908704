package function

import "github.com/TrilliantHealth/mops-go/internal/memokey"

// oldHome is where results of the function were kept before.
type oldHome struct {
	memokey.Home
	hasher *memokey.Hasher
}

// OldPlace is where a call's result lies if it was computed before the function
// moved.
type OldPlace struct {
	Root string // URI
	Path string // memo path
	Key  memokey.Key
}

// ReadFrom says where results of the function were kept before. It must come
// before Prepare.
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
		key := home.hasher.Key(input)
		places[i] = OldPlace{Root: home.Root, Path: memokey.Path(home.Pipeline, home.Name, home.Version, key), Key: key}
	}
	return places
}
