package config

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// prices reads the table of that name: a currency, and a table for each executor.
func (p *parser) prices(value any) {
	table, isTable := value.(map[string]any)
	if !isTable {
		p.fail(p.lines.at("prices"), "prices is %s; write what resources cost below [prices.k8s], by the name of the executor", typeName(value))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		of, isExecutor := table[key].(map[string]any)
		currency, isText := table[key].(string)
		switch line := p.lines.at("prices", key); {
		case isExecutor && memokey.ValidPipeline(key) != nil:
			p.fail(line, "[prices.%q]: no executor has such a name", key)
		case isExecutor:
			p.price(key, of)
		case key == "currency" && isText && len(currency) <= 10 && currency != "":
			p.file.Prices.Currency = currency
		case key == "currency":
			p.fail(line, `currency = %s: write a word such as "EUR"`, shown(table[key]))
		default:
			p.fail(line, "%s = %s stands alone; write prices below [prices.k8s], by the name of the executor", cut(key, 100), shown(table[key]))
		}
	}
}

// price reads what the resources of one executor cost.
func (p *parser) price(executor string, table map[string]any) {
	var price programs.Price
	fields := map[string]*float64{"cpu": &price.CPU, "memory": &price.Memory, "gpu": &price.GPU, "spot": &price.Spot}
	known := slices.Sorted(maps.Keys(fields))
	for _, key := range slices.Sorted(maps.Keys(table)) {
		line := p.lines.at("prices", executor, key)
		to, ok := fields[key]
		if !ok {
			if meant := nearest(key, known); meant != "" {
				p.fail(line, "unknown price %q below [prices.%s]; did you mean %s?", key, executor, meant)
			} else {
				p.fail(line, "unknown price %q below [prices.%s]; there are cpu, memory (of a GiB) and gpu, by the hour, and spot", key, executor)
			}
			continue
		}
		n, err := readPrice(table[key])
		if err == nil && key == "spot" && n > 1 {
			err = fmt.Errorf("spot is what such capacity costs as a part of the other prices; write a number from 0 to 1")
		}
		if err != nil {
			p.fail(line, "%s = %s: %s", key, shown(table[key]), err)
		}
		*to = n
	}
	if p.file.Prices.By == nil {
		p.file.Prices.By = map[string]programs.Price{}
	}
	p.file.Prices.By[executor] = price
}

func readPrice(value any) (n float64, err error) {
	switch value := value.(type) {
	case int64:
		n = float64(value)
	case float64:
		n = value
	default:
		return 0, fmt.Errorf("not a number; write one such as 0.04")
	}
	if n < 0 || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("no price; write a number from 0 on")
	}
	return n, nil
}
