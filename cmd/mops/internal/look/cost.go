package look

import (
	"fmt"
	"io"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// functionCost is what the calls of a function took, and what its hits saved.
type functionCost struct {
	Name  string        `json:"name"`
	Used  programs.Cost `json:"used"`
	Saved programs.Cost `json:"saved"`
}

func costOf(state programs.State, prices programs.Prices) (all []functionCost) {
	for _, f := range state.Functions {
		all = append(all, functionCost{f.Name, prices.Of(f.Used), prices.Of(f.Saved)})
	}
	return all
}

// showCost writes by function what was spent and saved, if it is anything to speak of.
func showCost(out io.Writer, title string, state programs.State, prices programs.Prices) {
	rows := prices.Table(state.Functions)
	if rows == nil {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	text.Table(out, "  ", rows, " >>>>>>>>")
	total := state.Total()
	if prices.Of(total.Used).Unpriced || prices.Of(total.Saved).Unpriced {
		fmt.Fprintln(out, "  "+programs.NoPrice)
	}
}

// costs are the cells of a run that tell what it spent and saved.
func (v runRow) costs(prices programs.Prices) []string {
	if v.Used == nil { // it could not be read
		return make([]string, 8)
	}
	return append(prices.Cells(*v.Used), prices.Cells(*v.Saved)...)
}
