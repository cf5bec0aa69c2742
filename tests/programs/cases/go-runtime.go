//: about: a static Go program: goroutines, channels, recovered nil dereference, exec, files, timers, signals, net
//: needs: go
//: quick: 3
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct{ next *node }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func nilDereference(depth int) (err error) {
	defer func() { err = fmt.Errorf("recovered: %v", recover()) }()
	var n *node
	for i := 0; i < depth; i++ {
		n = &node{n}
	}
	for {
		n = n.next
	}
}

func pipelines() {
	numbers, squares := make(chan int), make(chan int, 10)
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range numbers {
				squares <- n * n
				if n%10 == 0 {
					runtime.Gosched()
				}
			}
		}()
	}
	go func() {
		for i := 0; i < 5000; i++ {
			numbers <- i
		}
		close(numbers)
		group.Wait()
		close(squares)
	}()
	sum := 0
	for s := range squares {
		sum += s
	}
	fmt.Println("squares", sum)
}

func hogs() {
	var stop, count int64
	for i := 0; i < 4; i++ {
		go func() {
			for atomic.LoadInt64(&stop) == 0 {
				atomic.AddInt64(&count, 1)
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	atomic.StoreInt64(&stop, 1)
	fmt.Println("hogs ran", count > 0)
}

func commands() {
	out, err := exec.Command("sh", "-c", "cat; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	c := exec.Command("tr", "a-z", "A-Z")
	c.Stdin = strings.NewReader(strings.Repeat("go", 100000))
	out, err = c.Output()
	fmt.Println(len(out), string(out[:4]), err)
	_, err = exec.Command("/nonexistent").Output()
	fmt.Println(err, errors.Is(err, os.ErrNotExist))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	fmt.Println(exec.CommandContext(ctx, "sleep", "100").Run())
	var group sync.WaitGroup
	for i := 0; i < 6; i++ {
		group.Add(1)
		go func() { defer group.Done(); must(exec.Command("true").Run()) }()
	}
	group.Wait()
}

func files() {
	must(os.MkdirAll("d/e", 0o755))
	for i := 0; i < 30; i++ {
		must(os.WriteFile(fmt.Sprintf("d/e/%d", i), bytes.Repeat([]byte{byte(i)}, i*100), 0o640))
	}
	hash := sha256.New()
	must(filepath.WalkDir("d", func(path string, _ os.DirEntry, err error) error {
		fmt.Fprintln(hash, path)
		return err
	}))
	fmt.Printf("%x\n", hash.Sum(nil)[:8])
	f, err := os.OpenFile("d/log", os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	must(err)
	fmt.Fprint(f, "first ", "second")
	_, err = f.Seek(6, io.SeekStart)
	must(err)
	text, _ := io.ReadAll(f)
	info, _ := f.Stat()
	fmt.Println(string(text), info.Size(), info.Mode())
	_, err = os.Open("missing")
	fmt.Println(err)
}

func network() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })}
	go server.Serve(listener)
	answers := make([]string, 20)
	var group sync.WaitGroup
	for i := range answers {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			r, err := http.Get(fmt.Sprintf("http://%s/%02d", listener.Addr(), i))
			must(err)
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			answers[i] = string(body)
		}(i)
	}
	group.Wait()
	sort.Strings(answers)
	fmt.Println(strings.Join(answers, ""))
	server.Close()
}

func signals() {
	caught := make(chan os.Signal, 4)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGTERM)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		must(syscall.Kill(os.Getpid(), s))
		fmt.Println("caught", <-caught)
	}
	signal.Reset()
}

func timers() {
	start, ticks := time.Now(), 0
	ticker := time.NewTicker(5 * time.Millisecond)
	for range ticker.C {
		if ticks++; ticks == 5 {
			break
		}
	}
	ticker.Stop()
	select {
	case <-time.After(10 * time.Millisecond):
		fmt.Println("ticked", ticks, time.Since(start) >= 35*time.Millisecond)
	case <-make(chan int):
	}
}

func main() {
	pipelines()
	fmt.Println(nilDereference(10))
	fmt.Println(nilDereference(0))
	hogs()
	commands()
	files()
	network()
	signals()
	timers()
	garbage := 0
	for i := 0; i < 200; i++ {
		garbage += len(make([]byte, 1<<20)) & 1
	}
	runtime.GC()
	var deep func(int) int
	deep = func(n int) int {
		if n == 0 {
			return 0
		}
		return deep(n-1) + 1
	}
	fmt.Println(deep(200000), garbage)
	defer os.Exit(9)
	var numbers []int
	defer func() { fmt.Println("recovered:", recover()) }()
	fmt.Println(numbers[len(os.Args)+3])
}
