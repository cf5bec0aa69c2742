#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace osp::patch {

// A static Go program, built by the machine's own Go when the test first needs it; empty without Go.
inline std::string go_program() {
  const std::string directory = "/tmp/osp-patch-test-go." + std::to_string(getuid());
  const std::string program = directory + "/hello";
  if (access(program.c_str(), X_OK) == 0) return program;
  const std::string command = "mkdir -p " + directory + " && cd " + directory +
                              " && printf 'package main\\nimport (\"fmt\"; \"net/http\"; \"os\")\\nfunc main() { "
                              "fmt.Println(os.Args, http.Get) }\\n' > hello.go && "
                              "CGO_ENABLED=0 GOCACHE=$PWD/cache timeout 300 go build -o hello hello.go >/dev/null 2>&1";
  return std::system(command.c_str()) == 0 ? program : "";
}

}  // namespace osp::patch
