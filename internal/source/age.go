package source

import (
	"sync"
	"time"
)

// DefaultStorageTTL is how long content that nothing refers to stays in a store,
// at least, where no other time to live is said: `mops gc` leaves what is
// younger. It is 60 days.
const DefaultStorageTTL = 60 * 24 * time.Hour

// RelyFor is up to which age content in a store with a time to live is relied
// on: half of it. What is older is written again on a miss, so what a record
// refers to outlives the record's writing by the other half: the call that reads
// it may take that long, and so may a sweep that looked at it before. 0 stands for
// DefaultStorageTTL.
func RelyFor(ttl time.Duration) time.Duration {
	if ttl == 0 {
		ttl = DefaultStorageTTL
	}
	return ttl / 2
}

// seenFor is how long nobody asks again whether a blob is there that was found
// whole or was put: a thousand calls with one file would ask a thousand times,
// and with one folder of a thousand files a million times.
const seenFor = 10 * time.Minute

// maxSeen is how many blobs are remembered, in some 10 MB.
const maxSeen = 50_000

// sightings are when blobs were last known to be whole, by URI.
type sightings struct {
	mu sync.Mutex
	at map[string]time.Time
}

// recent reports whether a blob was seen shortly before now, as far as that
// matters where it is relied on up to an age of most.
func (s *sightings) recent(uri string, now time.Time, most time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[uri]
	return ok && now.Sub(at) < min(seenFor, most/10)
}

func (s *sightings) add(uri string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil || len(s.at) >= maxSeen {
		s.at = map[string]time.Time{}
	}
	s.at[uri] = now
}

func (s *sightings) forget(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uri, at := range s.at {
		if at.Before(before) {
			delete(s.at, uri)
		}
	}
}

// Forget makes Upload and Publish ask again for all that was seen in a store
// before that time, however shortly before: something turned out to be missing,
// or somebody wants to be sure. Who finds something missing through f need not
// call it.
func (f *Files) Forget(before time.Time) { f.seen.forget(before) }
