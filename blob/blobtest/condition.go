package blobtest

import (
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
)

var conditionChecks = []Check{
	{"PutIfAbsent", "A put with IfAbsent writes only where there is no blob.", running(checkPutIfAbsent)},
	{"Swap", "A put with IfVersion writes only over that version.", running(checkSwap)},
	{"SwapOften", "A version that is long out of date stays so.", running(checkSwapOften)},
	{"Reborn", "A version of a deleted blob is none of the blob that took its place.", running(checkReborn)},
	{"BothConditions", "IfAbsent together with IfVersion makes no sense.", running(checkBothConditions)},
}

func checkPutIfAbsent(p *probe) {
	key := p.prefix + "/folder/blob"
	p.put(key, "first", blob.PutOptions{IfAbsent: true})
	for _, data := range []string{"second", "first", ""} {
		_, err := put(p.ctx, p.store, key, data, blob.PutOptions{IfAbsent: true})
		p.fails("a put over a blob", err, blob.Exists)
	}
	p.content(key, "first")
	p.delete(key)
	p.put(key, "again", blob.PutOptions{IfAbsent: true})
	p.content(key, "again")
}

func checkSwap(p *probe) {
	key := p.prefix + "/folder/blob"
	v1 := p.put(key, "one", blob.PutOptions{IfAbsent: true})
	v2 := p.put(key, "two", blob.PutOptions{IfVersion: v1.Version})
	_, err := put(p.ctx, p.store, key, "wrong", blob.PutOptions{IfVersion: v1.Version})
	p.fails("a put over an old version", err, blob.Mismatch)
	p.content(key, "two")
	p.put(key, "three", blob.PutOptions{})
	_, err = put(p.ctx, p.store, key, "wrong", blob.PutOptions{IfVersion: v2.Version})
	p.fails("a put over a version that was overwritten", err, blob.Mismatch)
	_, err = put(p.ctx, p.store, p.prefix+"/absent", "wrong", blob.PutOptions{IfVersion: v2.Version})
	p.fails("a put over a version of a blob that is not there", err, blob.Mismatch)
	p.content(key, "three")
	p.absent(p.prefix + "/absent")
}

func checkSwapOften(p *probe) {
	key := p.prefix + "/blob"
	info := p.put(key, "0", blob.PutOptions{IfAbsent: true})
	var old []blob.Version
	for i := range 40 {
		old = append(old, info.Version)
		info = p.put(key, fmt.Sprint(i+1), blob.PutOptions{IfVersion: info.Version})
	}
	for i, version := range old {
		_, err := put(p.ctx, p.store, key, "wrong", blob.PutOptions{IfVersion: version})
		p.fails(fmt.Sprintf("a put over version %d of 40", i), err, blob.Mismatch)
	}
	p.content(key, "40")
}

func checkReborn(p *probe) {
	key := p.prefix + "/blob"
	var old []blob.Version
	for life := range 10 {
		info := p.put(key, fmt.Sprint("life ", life), blob.PutOptions{IfAbsent: true})
		for _, version := range old {
			_, err := put(p.ctx, p.store, key, "wrong", blob.PutOptions{IfVersion: version})
			p.fails("a put over a version from before the blob was deleted", err, blob.Mismatch)
		}
		old = append(old, info.Version)
		info = p.put(key, "swapped", blob.PutOptions{IfVersion: info.Version})
		old = append(old, info.Version)
		p.delete(key)
	}
}

func checkBothConditions(p *probe) {
	key := p.prefix + "/blob"
	info := p.put(key, "x", blob.PutOptions{})
	_, err := put(p.ctx, p.store, key, "y", blob.PutOptions{IfAbsent: true, IfVersion: info.Version})
	p.fails("a put with both conditions", err, blob.Invalid)
	p.content(key, "x")
}
