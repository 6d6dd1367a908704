package s3

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// store is the memory of gofakes3, with uploads in parts that know conditions.
type store struct {
	*s3mem.Backend

	mu      sync.Mutex
	last    int
	uploads map[gofakes3.UploadID]*multipart
}

type multipart struct {
	bucket, key string
	meta        map[string]string
	initiated   time.Time
	parts       map[int][]byte
	conditions  *gofakes3.PutConditions
}

var _ gofakes3.MultipartBackend = (*store)(nil)

func newStore() *store {
	return &store{Backend: s3mem.New(), uploads: map[gofakes3.UploadID]*multipart{}}
}

// PutObject forgets the metadata of the object that is replaced, which s3mem
// would add to that of the new one.
func (s *store) PutObject(bucket, key string, meta map[string]string, body io.Reader, size int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	if old, err := s.HeadObject(bucket, key); err == nil {
		for name := range old.Metadata {
			if _, ok := meta[name]; !ok {
				meta[name] = ""
			}
		}
	}
	return s.Backend.PutObject(bucket, key, meta, body, size, conditions)
}

// ListBucket gives the date that HeadObject gives, which s3mem takes earlier.
func (s *store) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	list, err := s.Backend.ListBucket(name, prefix, page)
	if err != nil {
		return nil, err
	}
	for _, content := range list.Contents {
		if object, err := s.HeadObject(name, content.Key); err == nil {
			if at, err := time.Parse(time.RFC1123, object.Metadata["Last-Modified"]); err == nil {
				content.LastModified = gofakes3.NewContentTime(at)
			}
		}
	}
	return list, nil
}

func (s *store) CreateMultipartUpload(bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	id := gofakes3.UploadID(fmt.Sprintf("upload-%d", s.last))
	s.uploads[id] = &multipart{bucket: bucket, key: key, meta: meta, initiated: time.Now(), parts: map[int][]byte{}}
	return id, nil
}

func (s *store) setConditions(id gofakes3.UploadID, conditions *gofakes3.PutConditions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if upload, ok := s.uploads[id]; ok {
		upload.conditions = conditions
	}
}

func (s *store) UploadPart(_, _ string, id gofakes3.UploadID, number int, length int64, body io.Reader) (string, error) {
	data, err := gofakes3.ReadAll(body, length)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	upload, ok := s.uploads[id]
	if !ok {
		return "", gofakes3.ErrNoSuchUpload
	}
	upload.parts[number] = data
	return partETag(data), nil
}

// partETag is any token for the content; S3 takes the MD5.
func partETag(data []byte) string {
	return fmt.Sprintf(`"%08x-%d"`, crc32.ChecksumIEEE(data), len(data))
}

func (s *store) CompleteMultipartUpload(bucket, key string, id gofakes3.UploadID, request *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	upload, ok := s.uploads[id]
	if !ok {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	var body []io.Reader
	size, sum := int64(0), crc32.NewIEEE()
	for i, wanted := range request.Parts {
		data, ok := upload.parts[wanted.PartNumber]
		if !ok || strings.Trim(wanted.ETag, `"`) != strings.Trim(partETag(data), `"`) {
			return "", "", gofakes3.ErrInvalidPart
		}
		if i > 0 && wanted.PartNumber <= request.Parts[i-1].PartNumber {
			return "", "", gofakes3.ErrInvalidPartOrder
		}
		size += int64(len(data))
		sum.Write(data)
		body = append(body, bytes.NewReader(data))
	}
	if upload.meta["X-Amz-Checksum-Algorithm"] == "CRC32" && upload.meta["X-Amz-Checksum-Type"] == "FULL_OBJECT" {
		upload.meta["X-Amz-Checksum-Crc32"] = base64CRC32(sum.Sum32())
	}
	put, err := s.PutObject(bucket, key, upload.meta, io.MultiReader(body...), size, upload.conditions)
	if err != nil {
		return "", "", err
	}
	delete(s.uploads, id)
	object, err := s.HeadObject(bucket, key)
	if err != nil {
		return "", "", err
	}
	return put.VersionID, `"` + hex.EncodeToString(object.Hash) + `"`, nil
}

func (s *store) AbortMultipartUpload(_, _ string, id gofakes3.UploadID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.uploads[id]; !ok {
		return gofakes3.ErrNoSuchUpload
	}
	delete(s.uploads, id)
	return nil
}

// ListMultipartUploads lists all that begin with the prefix, in no order.
func (s *store) ListMultipartUploads(bucket string, _ *gofakes3.UploadListMarker, prefix gofakes3.Prefix, _ int64) (*gofakes3.ListMultipartUploadsResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result := &gofakes3.ListMultipartUploadsResult{Bucket: bucket, Prefix: prefix.Prefix}
	for id, upload := range s.uploads {
		if upload.bucket == bucket && strings.HasPrefix(upload.key, prefix.Prefix) {
			result.Uploads = append(result.Uploads, gofakes3.ListMultipartUploadItem{Key: upload.key, UploadID: id,
				Initiated: gofakes3.NewContentTime(upload.initiated)})
		}
	}
	return result, nil
}

// ListParts is not needed.
func (s *store) ListParts(_, _ string, _ gofakes3.UploadID, _ int, _ int64) (*gofakes3.ListMultipartUploadPartsResult, error) {
	return nil, gofakes3.ErrNotImplemented
}
