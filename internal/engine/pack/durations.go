package pack

import (
	"context"
	"time"
)

const (
	// probe is how long calls of which nothing is known may run before that is
	// taken for their duration.
	probe = 5 * time.Second

	// remembered is of how many calls the mean duration is taken.
	remembered = 500
)

// recall asks for the history, once.
func (p *Packer) recall() {
	p.mu.Lock()
	recalled := p.recalled
	p.mu.Unlock()
	if recalled {
		return
	}
	if p.History != nil {
		ctx, cancel := context.WithTimeout(context.Background(), probe)
		defer cancel()
		past, err := p.History(ctx)
		if err != nil {
			p.Logger.Debug("how long earlier calls took is not known", "function", p.Function, "error", err)
		}
		for _, run := range past {
			if run.Reason == "" && run.Wall > 0 {
				p.learn(run.Wall)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recalled = true
}

// learn remembers how long a call took.
func (p *Packer) learn(wall time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum += wall
	if len(p.walls) < remembered {
		p.walls = append(p.walls, wall)
		return
	}
	p.sum -= p.walls[p.next]
	p.walls[p.next] = wall
	p.next = (p.next + 1) % remembered
}

// each is how long a call takes, as far as is known. The caller holds mu.
func (p *Packer) each(now time.Time) (mean time.Duration, known bool) {
	if n := len(p.walls); n > 0 {
		return max(p.sum/time.Duration(n), time.Microsecond), true
	}
	for g := range p.groups {
		mean = max(mean, g.longest(now))
	}
	for _, since := range p.lone {
		mean = max(mean, now.Sub(since)-worth) // it began after its start
	}
	return mean, mean >= probe
}

// plan is how many calls a worker is to get, and how many workers may be started
// now. Of calls of which nothing is known, one worker gets one round. The caller
// holds mu.
func (p *Packer) plan(now time.Time) (perWorker, free int) {
	mean, known := p.each(now)
	if !known {
		return p.Packing.Side, max(1-p.busy(), 0)
	}
	perWorker = int(max(int64(p.Packing.Work)*int64(p.Packing.Side)/int64(mean), 1))
	if p.Packing.Most <= 0 {
		return perWorker, mostWorkers
	}
	free = max(p.Packing.Most/p.Packing.Side, 1) - len(p.lone)
	for g := range p.groups {
		free -= g.workers
	}
	return perWorker, max(free, 0)
}
