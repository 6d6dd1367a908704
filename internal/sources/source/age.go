package source

import (
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// DefaultStorageTTL is the time to live for stores that have none: how long, at
// least, content stays that nothing refers to. `mops gc` leaves younger content
// alone. It is 60 days.
const DefaultStorageTTL = 60 * 24 * time.Hour

// RelyFor is the greatest age at which programs rely on content in a store with
// a time to live: half of it. On a miss they write older content again. So
// content that a record refers to outlives the writing of the record by the
// other half: the call that reads it may take that long, and so may a sweep
// that looked at the content before. 0 stands for DefaultStorageTTL.
func RelyFor(ttl time.Duration) time.Duration {
	if ttl == 0 {
		ttl = DefaultStorageTTL
	}
	return ttl / 2
}

// seenFor is how long nobody asks again whether a blob is there, after it was
// found whole or was put: a thousand calls with one file would ask a thousand
// times, and with one folder of a thousand files a million times.
const seenFor = 10 * time.Minute

// maxSeen is how many blobs are remembered, in some 10 MB.
const maxSeen = 50_000

// blobName tells a blob from all others, also if two stores have roots of the
// same name.
func blobName(store *blob.Store, key string) string { return store.Identity() + "/" + key }

// sightings remembers, by blobName, when blobs were last known to be whole, and
// which were found damaged.
type sightings struct {
	mu      sync.Mutex
	at      map[string]time.Time
	since   time.Time // earlier sightings do not count
	damaged map[string]blob.Version
}

// damage notes that a blob is damaged in this version.
func (s *sightings) damage(name string, v blob.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged == nil {
		s.damaged = map[string]blob.Version{}
	}
	s.damaged[name] = v
}

func (s *sightings) isDamaged(name string, v blob.Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.damaged[name]
	return ok && found == v
}

// recent reports whether a blob was seen shortly before now, for a caller that
// relies on blobs up to an age of most.
func (s *sightings) recent(name string, now time.Time, most time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[name]
	return ok && elapsed(at, now) < min(seenFor, most/10)
}

// elapsed is how much time has passed, including time in which this machine
// slept, which a monotonic clock may leave out.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// add notes a sighting, by the time when the question was asked.
func (s *sightings) add(name string, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked.Before(s.since) {
		return
	}
	if s.at == nil || len(s.at) >= maxSeen {
		s.at = map[string]time.Time{}
	}
	s.at[name] = asked
}

func (s *sightings) forget(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before.After(s.since) {
		s.since = before
	}
	for name, at := range s.at {
		if at.Before(before) {
			delete(s.at, name)
		}
	}
}

// Forget makes Upload and Publish ask again for all blobs that were seen before
// that time, however recently: something turned out to be missing, or a caller
// wants to be sure. If f itself finds something missing, it needs no call of
// Forget.
func (f *Files) Forget(before time.Time) { f.seen.forget(before) }
