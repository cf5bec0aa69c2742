//: about: a static Go program: goroutines, channels, a recovered nil dereference, timers, files, exec
//: needs: go
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sort"
	"sync"
	"time"
)

func recovered() (result string) {
	defer func() { result = fmt.Sprint("recovered: ", recover()) }()
	var nothing *struct{ field int }
	return fmt.Sprint(nothing.field)
}

func main() {
	results := make(chan int)
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			sum := 0
			for k := 0; k <= n*1000; k++ {
				sum += k
			}
			results <- sum
		}(i)
	}
	go func() { group.Wait(); close(results) }()
	var all []int
	for sum := range results {
		all = append(all, sum)
	}
	sort.Ints(all)
	fmt.Println(len(all), all[0], all[99])
	fmt.Println(recovered())
	start := time.Now()
	<-time.After(20 * time.Millisecond)
	fmt.Println(time.Since(start) >= 20*time.Millisecond)
	if err := os.WriteFile("file", []byte("written"), 0o644); err != nil {
		fmt.Println(err)
	}
	text, _ := os.ReadFile("file")
	fmt.Println(string(text))
	out, err := exec.Command("sh", "-c", "echo from a child; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	os.Exit(6)
}
