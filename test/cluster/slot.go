package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// slots is how many clusters may run at a time, all users' together.
const slots = 16

// firstSlot is where the search begins; a test that looks at a slot that it left
// sets it to one that nobody else takes.
var firstSlot = 0

// slot is what one cluster has for itself on this machine: a folder, addresses and
// ports. It is held by a lock on a file, which ends with the process.
type slot struct {
	number int
	dir    string // for all state; short, since it holds Unix sockets
	lock   *os.File
}

// Folder is where all clusters of this user have their state. TMPDIR has no say: the
// addresses are the machine's, wherever it points.
func Folder() string { return fmt.Sprintf("/tmp/mops-clusters-%d", os.Getuid()) }

// takeSlot takes the first slot that nobody holds, and clears it of what a holder
// left that was killed.
func takeSlot() (*slot, error) {
	base := Folder()
	if err := os.Mkdir(base, 0o700); err != nil && !os.IsExist(err) {
		return nil, err
	}
	if info, err := os.Lstat(base); err != nil {
		return nil, err
	} else if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(stat.Uid) != os.Getuid() {
		return nil, fmt.Errorf("%s is not a folder of this user; remove it", base)
	}
	var failed error
	for number := firstSlot; number < slots; number++ {
		s := &slot{number: number, dir: filepath.Join(base, strconv.Itoa(number))}
		err := s.take()
		if err == nil {
			return s, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, fmt.Errorf("no slot is free for another cluster:\n%w", failed)
}

func (s *slot) take() (err error) {
	if s.lock, err = os.OpenFile(s.dir+".lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.lock.Close()
		}
	}()
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("slot %d is taken: %w", s.number, err)
	}
	if err := s.clear(); err != nil {
		return fmt.Errorf("slot %d cannot be cleared of an earlier cluster: %w", s.number, err)
	}
	for port := s.port(0); port < s.port(ports); port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("slot %d: %w", s.number, err)
		}
		listener.Close()
	}
	return os.Mkdir(s.dir, 0o700)
}

// clear removes what is left of the slot's cluster.
func (s *slot) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := stopLeftovers(ctx, s.dir); err != nil {
		return err
	}
	return errors.Join(s.clearMachine(ctx), os.RemoveAll(s.dir))
}

func (s *slot) release() error {
	err := s.clear()
	return errors.Join(err, s.lock.Close())
}

// ports is how many a slot has on the loopback address.
const ports = 4

// kueuePort is the one of them where Kueue listens.
const kueuePort = 3

// port returns a port on the loopback address; below those that Linux gives to
// clients, so that it is still free when a server comes back.
func (s *slot) port(i int) int { return 21000 + s.number*ports + i }

// address returns an address in the network of a real cluster: private, and known
// on this machine only.
func (s *slot) address(last int) string { return fmt.Sprintf("10.213.%d.%d", s.number*16, last) }

// subnetBits is how much of an address is that network's.
const subnetBits = "20"

// name is that of the slot's things which have machine-wide names.
func (s *slot) name() string { return "mops" + strconv.Itoa(s.number) }
