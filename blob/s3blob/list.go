package s3blob

import (
	"context"
	"iter"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// List yields blobs in byte order, which is S3's own, in pages of a thousand.
// It leaves out objects whose key is not valid for a blob, such as the folders
// that S3's console makes.
func (s *store) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		input := &s3.ListObjectsV2Input{Bucket: &s.address.Host, Prefix: aws.String(s.address.Prefix(prefix)),
			EncodingType: types.EncodingTypeUrl} // XML cannot hold all keys of other programs
		if startAt != "" {
			input.StartAfter = aws.String(s.address.Prefix(before(startAt)))
		}
		for {
			page, err := s.client.ListObjectsV2(ctx, input)
			if err != nil {
				yield(driver.Info{}, s.failure(err))
				return
			}
			for _, object := range page.Contents {
				info, ok := s.listed(object, page.EncodingType)
				if ok && info.Key >= startAt && !yield(info, nil) {
					return
				}
			}
			if !aws.ToBool(page.IsTruncated) {
				return
			}
			input.ContinuationToken = page.NextContinuationToken
		}
	}
}

func (s *store) listed(object types.Object, encoding types.EncodingType) (driver.Info, bool) {
	name := aws.ToString(object.Key)
	if encoding == types.EncodingTypeUrl { // not all services do it
		var err error // some services do not encode
		if name, err = url.QueryUnescape(name); err != nil {
			return driver.Info{}, false
		}
	}
	key := s.address.Relative(name)
	return driver.Info{Key: key, Size: aws.ToInt64(object.Size), Version: version(object.ETag),
		ModTime: aws.ToTime(object.LastModified).Truncate(time.Second), // GET and HEAD are never more precise
	}, blob.ValidKey(key) == nil
}

// before is a string shortly before s, in byte order: S3 starts behind the key
// that it is given, and List starts at s.
func before(s string) string {
	valid := s
	for !utf8.ValidString(valid) {
		valid = valid[:len(valid)-1]
	}
	if valid != s || s == "" {
		return valid
	}
	last, size := utf8.DecodeLastRuneInString(s)
	rest := s[:len(s)-size]
	if last--; last < 0 {
		return rest
	}
	if !utf8.ValidRune(last) { // between the two ranges of runes
		last = 0xD7FF
	}
	return rest + string(last) + string(utf8.MaxRune)
}
