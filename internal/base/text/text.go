// Package text formats for people: sizes, numbers, times and ages, tables, and
// texts that fit a terminal and do nothing to it. It knows no other package of
// mops; whatever prints, or words an error, uses it.
package text

import (
	"fmt"
	"math"
	"strings"
)

// Number is 1234567 as "1,234,567".
func Number[T int | int64](n T) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Count is "1 call", "2 calls", "1,234 entries".
func Count[T int | int64](n T, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, y := strings.CutSuffix(what, "y"); y && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return Number(n) + " " + stem + "ies"
	}
	return Number(n) + " " + what + "s"
}

// Hours is an amount such as CPU-hours, with two or three digits that matter: "0.004",
// "0.25", "12.5", "1,234". A thousandth of an hour is seconds: of less it says so.
func Hours(h float64) string {
	switch {
	case !(h > 0):
		return "0"
	case h < 0.0005:
		return "< 0.001"
	case h < 0.1:
		return fmt.Sprintf("%.3f", h)
	case h < 10:
		return fmt.Sprintf("%.2f", h)
	case h < 100:
		return fmt.Sprintf("%.1f", h)
	}
	return whole(h)
}

// Money is an amount of some currency: "0.25", "12.50", "1,234".
func Money(m float64) string {
	switch {
	case !(m > 0):
		return "0"
	case m < 0.005:
		return "< 0.01"
	case m < 1000:
		return fmt.Sprintf("%.2f", m)
	}
	return whole(m)
}

// whole is a number without fraction; of what is beyond all sense, the largest.
func whole(n float64) string { return Number(int64(math.Round(min(n, 1e15)))) }

// Bytes is a size: "17 bytes", "1.2 MB". Units are powers of 1000.
func Bytes(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	}
	size, units := float64(n)/1000, []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	for size >= 999.95 && len(units) > 1 {
		size, units = size/1000, units[1:]
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}
