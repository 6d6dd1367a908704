package azureblob

import (
	"crypto/md5"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
)

// sumName is the metadata that holds the CRC-32C of a whole blob, in
// hexadecimal. The service keeps an MD5 for blobs in one request, and for blobs
// in blocks the one that it is given; but computing an MD5 takes longer than
// all the rest of reading a large blob from a fast network, while processors
// have an instruction for CRC-32C.
const sumName = "mops_crc32c"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newSum() hash.Hash { return crc32.New(castagnoli) }

func metadataOf(sum hash.Hash) map[string]*string {
	return map[string]*string{sumName: to.Ptr(hex.EncodeToString(sum.Sum(nil)))}
}

// wantedSum is how to verify a blob that is read whole, and the expected sum:
// nil if the service has neither.
func wantedSum(metadata map[string]*string, contentMD5 []byte) (hash.Hash, []byte) {
	for name, value := range metadata { // HTTP changes the case of names
		if !strings.EqualFold(name, sumName) || value == nil {
			continue
		}
		if want, err := hex.DecodeString(*value); err == nil && len(want) == crc32.Size {
			return newSum(), want
		}
	}
	if len(contentMD5) == md5.Size {
		return md5.New(), contentMD5
	}
	return nil, nil
}
