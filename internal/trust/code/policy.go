package code

// Policy says what becomes of a result that other code computed than that of
// the program which asks for it.
type Policy string

// The policies. Results whose code is not known pass all of them.
const (
	Warn      Policy = "warn"      // use it, and say so
	Recompute Policy = "recompute" // compute the call again and replace it
	Refuse    Policy = "refuse"    // the call fails
	Off       Policy = "off"       // use it
)

// Policies lists them.
var Policies = []Policy{Warn, Recompute, Refuse, Off}
