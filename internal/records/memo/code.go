package memo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// codePrefix begins the keys of descriptions of code. Calls name code by its
// hash only; what lies here says once for all of them which declarations it is.
const codePrefix = "mops1-blobs/code/"

// IsCode says that a key is that of a description of code.
func IsCode(key string) bool { return strings.HasPrefix(key, codePrefix) }

// codeLimit is the size of the largest description that is read, in bytes.
const codeLimit = 64 << 20

// PutCode describes the code that results of a store name by a hash.
func PutCode(ctx context.Context, store *blob.Store, f *code.Fingerprint) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = store.PutBytes(ctx, codePrefix+f.Hash+".json", append(text, '\n'), blob.PutOptions{IfAbsent: true})
	if blob.Is(err, blob.Exists) {
		return nil
	}
	return err
}

// Code reads the description of the code with a hash. The error says
// blob.NotFound where there is none.
func Code(ctx context.Context, store *blob.Store, hash string) (*code.Fingerprint, error) {
	key := codePrefix + hash + ".json"
	data, _, err := store.ReadUpTo(ctx, key, nil, codeLimit)
	if err != nil {
		return nil, err
	}
	var f code.Fingerprint
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s does not describe code: %w", store.URI(key), err)
	}
	if f.Hash != hash {
		return nil, fmt.Errorf("%s describes other code: %s", store.URI(key), f.Hash)
	}
	return &f, nil
}

// mostChanges is how many declarations a line names.
const mostChanges = 3

// Changed says in a line what differs between the code with a hash, which
// records of the store name, and this program's, which is nil if only its hash
// is known.
func Changed(ctx context.Context, store *blob.Store, theirs, mine string, is *code.Fingerprint) string {
	before, err := Code(ctx, store, theirs)
	if err != nil || is == nil { // nobody described it: the hashes say that much
		return fmt.Sprintf("%s, and here it is %s", code.Short(theirs), code.Short(mine))
	}
	return code.Named(code.Diff(before, is), mostChanges)
}
