//go:build !unix

package progress

import (
	"errors"
	"os"
)

// tty is nothing here: there is no block.
type tty struct{}

func openTTY(*os.File) (*tty, bool) { return nil, false }

func (*tty) foreground() bool                        { return false }
func (*tty) take() error                             { return errors.ErrUnsupported }
func (*tty) give()                                   {}
func (*tty) signals() <-chan os.Signal               { return nil }
func (*tty) heed(os.Signal, func(), <-chan struct{}) {}
func (*tty) close()                                  {}
