package programs

// Prices are what resources cost, as a config file says.
type Prices struct {
	Currency string           `json:"currency,omitempty"` // such as EUR
	By       map[string]Price `json:"executors,omitempty"`
}

// Price is what resources of one executor cost by the hour.
type Price struct {
	CPU    float64 `json:"cpu,omitempty"`
	Memory float64 `json:"memory,omitempty"` // of a GiB
	GPU    float64 `json:"gpu,omitempty"`
	Spot   float64 `json:"spot,omitempty"` // what capacity that may be taken away costs, as a part of these; 0 if it costs the same
}

// Cost is what a list of uses comes to.
type Cost struct {
	Runs           int64   `json:"runs"`
	CPUHours       float64 `json:"cpu_hours"`        // held: asked for; where nothing was asked for, used
	CPUHoursUsed   float64 `json:"cpu_hours_used"`   //
	MemoryGiBHours float64 `json:"memory_gib_hours"` // held; where nothing was asked for, the peak
	GPUHours       float64 `json:"gpu_hours"`
	Money          float64 `json:"money,omitempty"`    // by executors with prices
	Unpriced       bool    `json:"unpriced,omitempty"` // there are prices, and none for one of the executors
}

const hour = 3600

// Of adds up what was used.
func (p Prices) Of(list []Use) (c Cost) {
	for _, u := range list {
		c.Runs += u.Runs
		cpu, memory, gpu := u.CPUHeld/hour, u.MemoryGiBSeconds/hour, u.GPUSeconds/hour
		c.CPUHours += cpu
		c.CPUHoursUsed += u.CPUSeconds / hour
		c.MemoryGiBHours += memory
		c.GPUHours += gpu
		if price, known := p.By[u.Executor]; known {
			part := 1.0
			if u.Spot && price.Spot > 0 {
				part = price.Spot
			}
			c.Money += part * (cpu*price.CPU + memory*price.Memory + gpu*price.GPU)
		} else if len(p.By) > 0 {
			c.Unpriced = true
		}
	}
	return c
}
