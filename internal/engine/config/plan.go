package config

import "fmt"

// PlanVariable is the variable that makes a run of a program a plan.
const PlanVariable = "MOPS_PLAN"

// Plan reads [PlanVariable]: yes or no. An empty variable is no. lookup is
// [os.LookupEnv] or the like.
func Plan(lookup func(string) (string, bool)) (bool, error) {
	text, _ := lookup(PlanVariable)
	if text == "" {
		return false, nil
	}
	value, err := textToBool(text)
	if err != nil {
		return false, fmt.Errorf("%s=%q: %w", PlanVariable, text, err)
	}
	return value == true, nil
}
