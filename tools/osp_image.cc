#include "tools/osp_image.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "migrate/image_reader.h"
#include "migrate/image_summary.h"
#include "migrate/manifest_json.h"

namespace osp::tools {
namespace {

using migrate::FrameLoader;
using migrate::ImageError;
using migrate::ImageReader;

struct Options {
  std::string file;
  bool json = false;
  bool maps = false;
};

// A line on a terminal that is drawn over and over; nothing where stderr is not one.
class ProgressBar {
 public:
  explicit ProgressBar(uint64_t total) : total_(total), shown_(total > 0 && isatty(STDERR_FILENO) == 1) {}
  ~ProgressBar() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void advance(uint64_t amount) {
    done_ += amount;
    const auto percent = static_cast<unsigned>(total_ == 0 ? 100 : done_ * 100 / total_);
    if (!shown_ || percent == percent_) return;
    percent_ = percent;
    fmt::print(stderr, "\r[{:<50}] {:3} %", std::string(percent / 2, '#'), percent);
  }

 private:
  uint64_t total_;
  bool shown_;
  uint64_t done_ = 0;
  unsigned percent_ = 101;
};

std::string error_json(const ImageError& error) {
  return fmt::format(R"({{"section":{},"offset":{},"reason":{}}})", migrate::json_string(error.section), error.offset,
                     migrate::json_string(error.reason));
}

void report(const Options& options, const ImageError& error) {
  fmt::print(stderr, "osp: image: {}: section {}, offset {}: {}\n", options.file, error.section, error.offset,
             error.reason);
}

// Every damaged frame of an image.
std::vector<ImageError> check_frames(const ImageReader& image) {
  auto loader = FrameLoader::create(image);
  if (!loader) return {{"file", describe(loader.error()), 0}};
  std::vector<ImageError> errors;
  ProgressBar bar(migrate::count_pages(image.index()).stored_bytes);
  for (const migrate::Frame& frame : image.index().frames()) {
    if (const auto pages = loader->read(frame); !pages) errors.push_back(pages.error());
    bar.advance(frame.stored_size);
  }
  return errors;
}

void print_verdict(const Options& options, size_t frames, const std::vector<ImageError>& errors) {
  if (!options.json) {
    for (const ImageError& error : errors) report(options, error);
    if (errors.empty()) fmt::print("{}: whole: manifest, index and {} frames\n", options.file, frames);
    return;
  }
  std::string list;
  for (const ImageError& error : errors) list += (list.empty() ? "" : ",") + error_json(error);
  fmt::print("{{\"file\":{},\"whole\":{},\"frames\":{},\"errors\":[{}]}}\n", migrate::json_string(options.file),
             errors.empty(), frames, list);
}

int check(const Options& options) {
  const auto image = ImageReader::open_file(options.file);
  if (!image) {
    print_verdict(options, 0, {image.error()});
    return 1;
  }
  const auto errors = check_frames(*image);
  print_verdict(options, image->index().frames().size(), errors);
  return errors.empty() ? 0 : 1;
}

int show(const Options& options) {
  const auto image = ImageReader::open_file(options.file);
  if (!image) {
    report(options, image.error());
    return 1;
  }
  const std::string text = options.json ? migrate::to_json(*image) + '\n' : migrate::summarise(*image, options.maps);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

void add_image_command(CLI::App& app, int& status) {
  const auto options = std::make_shared<Options>();
  CLI::App* const image = app.add_subcommand("image", "Prints and checks checkpoint images");
  image->require_subcommand(1);
  CLI::App* const show_app = image->add_subcommand("show", "Prints what is in an image");
  CLI::App* const check_app = image->add_subcommand("check", "Verifies every part of an image");
  for (CLI::App* const each : {show_app, check_app}) {
    each->add_option("FILE", options->file, "The image")->required();
    each->add_flag("--json", options->json, "Print JSON (of show: everything, with secrets)");
  }
  show_app->add_flag("--maps", options->maps, "Print the areas of memory too");
  show_app->callback([options, &status] { status = show(*options); });
  check_app->callback([options, &status] { status = check(*options); });
}

}  // namespace osp::tools
