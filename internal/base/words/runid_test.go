package words

import (
	"slices"
	"testing"
	"time"
)

func TestRunIDIsUTCMinuteAndWords(t *testing.T) {
	skirt, bus := slices.Index(list[:], "skirt"), slices.Index(list[:], "bus")
	now := time.Date(2026, 11, 23, 15, 12, 59, 0, time.FixedZone("", 3600))
	if got, want := RunID(now, uint32(skirt<<10|bus)), "2611231412-SkirtBus"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if high, low := RunID(now, 0xfff00000), RunID(now, 0); high != low {
		t.Errorf("bits above the twentieth count: %s and %s", high, low)
	}
}

func TestMinute(t *testing.T) {
	for id, want := range map[string]time.Time{
		"2611231412-SkirtBus": time.Date(2026, 11, 23, 14, 12, 0, 0, time.UTC),
		"2613231412-SkirtBus": {}, "26112314120-SkirtBus": {}, "": {}, "notes": {},
	} {
		if got := Minute(id); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}

func TestNewRunIDDiffers(t *testing.T) {
	seen := map[string]bool{}
	for range 8 {
		seen[NewRunID(time.Unix(0, 0))] = true
	}
	if len(seen) < 7 { // one pair alike is chance, more are not
		t.Errorf("8 run ids of one minute: %v", seen)
	}
}
