#: about: go build, vet, test and run of a module of several packages, offline
#: needs: go
#: timeout: 300
#: quick: 0
#: ignore: cache*
#: ignore: app/app
export GOCACHE=$PWD/cache GOPATH=$PWD/cache/path GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0 GO111MODULE=on
mkdir -p app/{shapes,count,cmd}; cd app || exit
cat >go.mod <<'END'
module example.org/app

go 1.18
END
cat >shapes/shapes.go <<'END'
package shapes

import "math"

type Shape interface{ Area() float64 }
type Circle struct{ R float64 }
type Box struct{ W, H float64 }

func (c Circle) Area() float64 { return math.Pi * c.R * c.R }
func (b Box) Area() float64    { return b.W * b.H }
END
cat >shapes/shapes_test.go <<'END'
package shapes

import "testing"

func TestBox(t *testing.T) {
	if (Box{2, 3}).Area() != 6 {
		t.Fatal("area")
	}
}
END
cat >count/count.go <<'END'
package count

import "sync"

func Each[T any](items []T, f func(T) int) (sum int) {
	var group sync.WaitGroup
	var lock sync.Mutex
	for _, item := range items {
		group.Add(1)
		go func(item T) {
			defer group.Done()
			n := f(item)
			lock.Lock()
			sum += n
			lock.Unlock()
		}(item)
	}
	group.Wait()
	return
}
END
cat >cmd/main.go <<'END'
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"example.org/app/count"
	"example.org/app/shapes"
)

func main() {
	all := []shapes.Shape{shapes.Circle{R: 1}, shapes.Box{W: 2, H: 3}}
	n := count.Each(all, func(s shapes.Shape) int { return int(s.Area()) })
	text, err := json.Marshal(map[string]int{"sum": n})
	fmt.Println(string(text), err)
	os.Exit(6)
}
END
go build -p 2 -o app ./cmd; echo "build $?"
./app; echo "app $?"
go vet ./... ; echo "vet $?"
go test ./... 2>&1 | sed 's/[0-9.]*s$//'
echo 'package count; func Bad() int { return "text" }' >count/bad.go; go build ./... 2>&1; echo "bad $?"; rm count/bad.go
go list -f '{{.ImportPath}}' ./...; gofmt -l .; GOFLAGS= go env GOFLAGS | wc -w
chmod -R u+w "$GOCACHE"; rm -rf "$GOCACHE" app
