#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/error.h>
#include <handrail/train/report/comparison.h>

#include "support/check_throws.h"
#include "support/tasks.h"
#include "support/files.h"
#include "train/report/check_page.h"

using namespace handrail;
namespace fs = std::filesystem;

namespace {

std::string page_of(const fs::path& run) {
  const std::vector<fs::path> runs{run};
  return train::comparison_page(runs);
}

}  // namespace

TEST_CASE("the lowest validation loss of a run is that of a finite value") {
  const TempDir dir;
  dir.write("metrics.csv", "step,epoch,name,value\n1,1,val_loss,0.5\n2,1,val_loss,nan\n3,2,val_loss,0.9\n");
  const std::string page = page_of(dir.path());
  CHECK(contains(page, "<td class=\"num\">0.5000</td><td class=\"num\">1</td>"));
}

TEST_CASE("lines that cannot be read or go back in steps are left out of a comparison and counted") {
  const TempDir dir;
  dir.write("metrics.csv", "step,epoch,name,value\n5,1,val_loss,0.5\n4,1,val_loss,0.1\nnonsense\n6,2,val_loss,0.4\n");
  const std::string page = page_of(dir.path());
  CHECK(contains(page, "2 lines could not be read"));
  CHECK(contains(page, "<td class=\"num\">0.4000</td><td class=\"num\">6</td>"));
}

TEST_CASE("names of runs and figures show as text in a comparison") {
  const TempDir dir;
  fs::create_directory(dir.path() / "<b>run");
  dir.write("<b>run/metrics.csv", "step,epoch,name,value\n1,1,<script>alert(1)</script>,0.5\n");
  const std::string page = page_of(dir.path() / "<b>run");
  check_page(page);
  CHECK_FALSE(contains(page, "<b>run"));
  CHECK(contains(page, "&lt;script&gt;"));
}

TEST_CASE("a comparison refuses links, missing files and no runs at all") {
  const TempDir dir;
  dir.write("target", "step,epoch,name,value\n1,1,val_loss,0.5\n");
  fs::create_symlink(dir.path() / "target", dir.path() / "metrics.csv");
  check_throws<DataError>([&] { page_of(dir.path()); }, "metrics.csv");
  check_throws<DataError>([&] { page_of(dir.path() / "missing"); }, "missing");
  check_throws<OptionError>([] { train::comparison_page({}); }, "want 1 to 8 directories of runs; got 0");
}
