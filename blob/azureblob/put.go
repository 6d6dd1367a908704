package azureblob

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// block is the name of a block. All names of a blob's blocks have one length
// (https://learn.microsoft.com/rest/api/storageservices/put-block).
func (p *put) block(n int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%05d", p.id, n))
}

// Put implements cloud.Parts.
func (p *put) Put(ctx context.Context, n int, data []byte) error {
	sent := md5.Sum(data)
	_, err := p.client.StageBlock(ctx, p.block(n), streaming.NopCloser(bytes.NewReader(data)), &blockblob.StageBlockOptions{
		TransactionalValidation: azblob.TransferValidationTypeMD5(sent[:]),
	})
	return p.store.failure(err)
}

// Complete implements cloud.Parts. It tries again if the answer was lost, and
// sees by the names of the blob's blocks whether an earlier try succeeded.
func (p *put) Complete(ctx context.Context, n int, size int64) (info driver.Info, err error) {
	perhaps := false
	err = blob.RetryPolicy{}.Do(ctx, func() error {
		info, err = p.commit(ctx, n, size)
		if err != nil && perhaps && p.isCommitted(ctx, n) {
			info, err = p.store.Stat(ctx, p.key)
		}
		perhaps = perhaps || blob.Is(err, blob.Unavailable)
		return err
	})
	if code := codeOf(err); code == bloberror.InvalidBlockList || code == bloberror.InvalidBlobOrBlock {
		err = p.overtaken(ctx, err)
	}
	return info, err
}

func (p *put) commit(ctx context.Context, n int, size int64) (driver.Info, error) {
	blocks := make([]string, n)
	for i := range blocks {
		blocks[i] = p.block(i + 1)
	}
	r, err := p.client.CommitBlockList(ctx, blocks, &blockblob.CommitBlockListOptions{
		Metadata:         metadataOf(p.sum),
		AccessConditions: p.conditions(),
	})
	if err != nil {
		return driver.Info{}, p.store.putFailure(err, p.opts)
	}
	return describe(p.key, &size, r.ETag, r.LastModified, nil)
}

// isCommitted reports whether the blob is the one of this put.
func (p *put) isCommitted(ctx context.Context, n int) bool {
	r, err := p.client.GetBlockList(ctx, blockblob.BlockListTypeCommitted, nil)
	if err != nil || len(r.CommittedBlocks) != n {
		return false
	}
	last := r.CommittedBlocks[n-1].Name
	return last != nil && *last == p.block(n)
}

// overtaken is the error for blocks that are gone: another put to this key was
// completed, which drops all blocks but its own
// (https://learn.microsoft.com/rest/api/storageservices/put-block-list#remarks).
func (p *put) overtaken(ctx context.Context, err error) error {
	info, errStat := p.store.Stat(ctx, p.key)
	there, cause := errStat == nil, errors.Unwrap(err)
	switch {
	case p.opts.IfAbsent && there:
		return &driver.Error{Kind: driver.Exists, Err: cause}
	case p.opts.IfVersion != "" && (there && info.Version != p.opts.IfVersion || blob.Is(errStat, blob.NotFound)):
		return &driver.Error{Kind: driver.Mismatch, Err: cause}
	}
	return &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("another put to this blob came in between: %w", cause)}
}

// Abort implements cloud.Parts. It does nothing: the service drops blocks when
// a blob of that name is made, and after a week.
func (p *put) Abort(context.Context) {}

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
