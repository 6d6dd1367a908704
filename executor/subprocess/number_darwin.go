package subprocess

import (
	"errors"
	"os"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// canStay is false: nobody could find out which call a process runs.
const canStay = false

type number struct{ *os.File }

const (
	noCall      = 0
	stoppedCall = 1<<64 - 1
)

func newNumber() (number, error)                    { return number{}, errors.ErrUnsupported }
func openNumber(process.Handle) (number, error)     { return number{}, errors.ErrUnsupported }
func (n number) set(uint64) error                   { return errors.ErrUnsupported }
func (n number) is(int) bool                        { return true }
func (n number) swap(int, uint64) (bool, error)     { return false, errors.ErrUnsupported }
func newSocket() (ours, theirs *os.File, err error) { return nil, nil, errors.ErrUnsupported }
