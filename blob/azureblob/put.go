package azureblob

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"hash"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// Put stores a blob: as one request, or in blocks. All puts are durable.
func (s *store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if err := cloud.CheckConditions(opts); err != nil {
		return driver.Info{}, err
	}
	client, err := s.blob(key)
	if err != nil {
		return driver.Info{}, err
	}
	p := &put{store: s, client: client, key: key, opts: opts, sum: newSum(), id: rand.Text()}
	upload := cloud.Upload{
		MaxParts: blockblob.MaxBlocks,
		Whole:    p.whole,
		Begin:    func(context.Context) (cloud.Parts, error) { return p, nil },
	}
	return upload.Put(ctx, io.TeeReader(body, p.sum), size)
}

// put is one put under way.
type put struct {
	store  *store
	client *blockblob.Client
	key    string
	opts   driver.PutOptions
	sum    hash.Hash // of the bytes read so far
	id     string    // of this put, so that blocks of several puts to one key do not mix
}

func (p *put) conditions() *azblob.AccessConditions {
	c := &azblob.ModifiedAccessConditions{}
	if p.opts.IfAbsent {
		c.IfNoneMatch = to.Ptr(azcore.ETagAny)
	}
	if p.opts.IfVersion != "" {
		c.IfMatch = to.Ptr(azcore.ETag(`"` + p.opts.IfVersion + `"`))
	}
	return &azblob.AccessConditions{ModifiedAccessConditions: c}
}

func (p *put) whole(ctx context.Context, data []byte) (driver.Info, error) {
	sent := md5.Sum(data)
	r, err := p.client.Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		TransactionalValidation: azblob.TransferValidationTypeMD5(sent[:]),
		Metadata:                metadataOf(p.sum),
		AccessConditions:        p.conditions(),
	})
	if err != nil {
		return driver.Info{}, p.store.putFailure(err, p.opts)
	}
	return describe(p.key, to.Ptr(int64(len(data))), r.ETag, r.LastModified, nil)
}
