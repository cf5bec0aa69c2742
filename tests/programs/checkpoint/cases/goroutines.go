//: about: Go: goroutines, channels, timers, a ticker, garbage, recovered faults, an open file
//: needs: go
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"time"
)

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func (t *tree) count() int {
	if t == nil {
		return 0
	}
	return 1 + t.left.count() + t.right.count()
}

func fault() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var t *tree
	return fmt.Sprint(t.left)
}

func main() {
	fmt.Println("begun")
	journal, err := os.Create("journal")
	if err != nil {
		panic(err)
	}
	jobs, results := make(chan int), make(chan [32]byte, 100)
	var group sync.WaitGroup
	for w := 0; w < 20; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range jobs {
				sum := sha256.Sum256([]byte{byte(n), byte(n >> 8)})
				for i := 0; i < 800; i++ {
					sum = sha256.Sum256(sum[:])
				}
				results <- sum
				if n%500 == 0 {
					time.Sleep(20 * time.Millisecond)
				}
			}
		}()
	}
	go func() {
		for n := 0; n < 12000; n++ {
			jobs <- n
			if n%1000 == 0 {
				fmt.Fprintln(journal, n, fault(), grow(12).count())
			}
		}
		close(jobs)
		group.Wait()
		close(results)
	}()
	var all [32]byte
	count := 0
	for sum := range results {
		for i := range all {
			all[i] ^= sum[i]
		}
		count++
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	for i := 0; i < 20; i++ {
		<-ticker.C
	}
	fmt.Printf("%d %x\n", count, all)
	os.Exit(7)
}
