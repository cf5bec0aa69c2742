#include "tools/osp_image.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "image_fixture.h"
#include "migrate/manifest_json.h"

namespace osp::tools {
namespace {

struct Outcome {
  int status = -1;
  std::string out, err;
};

class OspImage : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937_64 random(5);
    image_ = migrate::test::write_image(migrate::test::some_pages(random, 200));
    path_ = testing::TempDir() + "osp-image-test.osp";
    save();
  }
  void TearDown() override { std::remove(path_.c_str()); }

  void save() {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(image_.data()), static_cast<std::streamsize>(image_.size()));
  }

  Outcome run(std::vector<std::string> arguments) {
    CLI::App app;
    Outcome outcome;
    add_image_command(app, outcome.status);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    app.parse(arguments);
    std::fflush(nullptr);
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }

  migrate::Bytes image_;
  std::string path_;
};

TEST_F(OspImage, ShowTellsOfProcessesThreadsAndFiles) {
  const Outcome shown = run({"image", "show", "--maps", path_});
  EXPECT_EQ(shown.status, 0);
  for (const char* part :
       {"format 1.0", "osp-core 0.1.0", "process 7 true", "thread 8 worker", "'caf\\xe9'", "fd 5 pipe: contents",
        "100 bytes in it", "/tmp/x", "unlinked", "/usr/lib/libc.so.6", "rw- heap"})
    EXPECT_NE(shown.out.find(part), std::string::npos) << part << " in\n" << shown.out;
}

TEST_F(OspImage, ShowJsonIsComplete) {
  const Outcome shown = run({"image", "show", "--json", path_});
  EXPECT_EQ(shown.status, 0);
  for (const char* part : {R"("format":"1.0")", R"("parent":null)", R"("argv":["/bin/true","","caf\udce9"])",
                           R"("kind":"heap")", R"("limits":[])"})
    EXPECT_NE(shown.out.find(part), std::string::npos) << part;
}

TEST_F(OspImage, CheckPassesAWholeImage) {
  const Outcome checked = run({"image", "check", path_});
  EXPECT_EQ(checked.status, 0);
  EXPECT_NE(checked.out.find(": whole: "), std::string::npos);
  EXPECT_EQ(checked.err, "");
  EXPECT_NE(run({"image", "check", "--json", path_}).out.find(R"("whole":true)"), std::string::npos);
}

TEST_F(OspImage, CheckNamesSectionAndOffsetOfDamage) {
  const auto reader = migrate::test::open_bytes(image_);
  ASSERT_TRUE(reader);
  const auto frames = reader->index().frames();
  const auto frame = std::find_if(frames.begin(), frames.end(), [](const auto& f) { return f.stored_size > 0; });
  const std::string where = "section pages, offset " + std::to_string(frame->offset) + ": ";
  image_[frame->offset + 5] ^= std::byte{1};
  save();
  const Outcome checked = run({"image", "check", path_});
  EXPECT_EQ(checked.status, 1);
  EXPECT_NE(checked.err.find(where), std::string::npos) << checked.err;
  const Outcome json = run({"image", "check", "--json", path_});
  EXPECT_EQ(json.status, 1);
  EXPECT_NE(json.out.find(R"("section":"pages")"), std::string::npos) << json.out;
}

TEST_F(OspImage, ForeignAndMissingFilesAreRefusedWithTheReason) {
  for (const char* command : {"show", "check"}) {
    const Outcome foreign = run({"image", command, "/proc/self/exe"});
    EXPECT_EQ(foreign.status, 1);
    EXPECT_NE(foreign.err.find("not an Osprey image"), std::string::npos) << foreign.err;
    EXPECT_NE(run({"image", command, "/no/such"}).err.find("No such file"), std::string::npos);
  }
}

TEST(JsonString, EscapesWhatJsonAndUtf8Need) {
  EXPECT_EQ(migrate::json_string("a\"\\\n\x7f"), R"("a\"\\\u000a\u007f")");
  EXPECT_EQ(migrate::json_string("π\xff\xc0\x80"), "\"π\\udcff\\udcc0\\udc80\"");
  EXPECT_EQ(migrate::json_string("\xed\xa0\x80"), R"("\udced\udca0\udc80")");  // a surrogate is not UTF-8
}

}  // namespace
}  // namespace osp::tools
