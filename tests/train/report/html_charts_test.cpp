#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <handrail/train/report/html/internal/charts/axis.h>
#include <handrail/train/report/html/internal/charts/chart.h>
#include <handrail/train/report/html/internal/curve.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/heat_map.h>
#include <handrail/train/report/html/internal/metrics_reader.h>

using namespace handrail::train;

namespace {

html::Axis axis_of(const std::vector<double>& values) {
  html::Extent extent;
  for (const double value : values) extent.add(value);
  return html::value_axis(extent, 6);
}

}  // namespace

TEST_CASE("a curve of many steps keeps its extremes in a bounded number of buckets") {
  html::Curve curve(64);
  for (std::int64_t step = 1; step <= 100'000; ++step)
    curve.add(step, step == 33'333 ? 1e6 : step == 77'777 ? -1e6 : static_cast<double>(step % 7));
  CHECK(curve.buckets().size() <= 64);
  CHECK(curve.buckets().size() > 24);
  html::Extent extent;
  extent.add(curve);
  CHECK(extent.low == -1e6);
  CHECK(extent.high == 1e6);
  CHECK(curve.buckets().front().first == 1);
  CHECK(curve.buckets().back().last == 100'000);
  const auto has_spike = [](const html::Bucket& b) { return b.high == 1e6; };
  const auto spike = std::ranges::find_if(curve.buckets(), has_spike);
  REQUIRE(spike != curve.buckets().end());
  CHECK(spike->first <= 33'333);
  CHECK(spike->last >= 33'333);
}

TEST_CASE("figures of every hundredth step keep a bucket each beside figures of every step") {
  html::Curve curve(256);
  for (std::int64_t step = 100; step <= 5'000; step += 100) curve.add(step, 1);
  for (std::int64_t step = 5'001; step <= 10'000; ++step) curve.add(step, 1);
  const auto sparse = std::ranges::count_if(curve.buckets(), [](const html::Bucket& b) { return b.last <= 5'000; });
  CHECK(sparse >= 49);  // the last one may share its bucket with step 5,001
}

TEST_CASE("values that are not finite make a gap only where there is no other value") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  html::Curve curve(4);
  for (const double value : {1.0, nan, inf, 2.0}) curve.add(static_cast<std::int64_t>(curve.buckets().size()), value);
  REQUIRE(curve.buckets().size() == 4);
  CHECK(!curve.buckets()[0].is_gap());
  CHECK(curve.buckets()[1].is_gap());
  CHECK(curve.buckets()[2].is_gap());
  curve.add(4, 3);
  CHECK(!curve.buckets()[0].is_gap());  // the first two are one now
  const auto points = html::points_of(curve);
  CHECK(points.size() == curve.buckets().size());
}

TEST_CASE("a heat map has a bounded number of columns, which are geometric means") {
  html::HeatMap map(4);
  for (std::int64_t i = 0; i < 8; ++i) {
    const double values[] = {i % 2 == 0 ? 1.0 : 100.0, 0.0};
    map.add(i, values);
  }
  CHECK(map.rows() == 2);
  REQUIRE(map.columns() == 4);
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK(map.log10_at(0, c) == doctest::Approx(1));
    CHECK(std::isnan(map.log10_at(1, c)));
  }
  CHECK(map.last(3) == 7);
}

TEST_CASE("ticks are round numbers within the axis") {
  const auto linear = html::linear_axis(0.13, 0.87, 6);
  CHECK(linear.ticks.size() >= 4);
  for (const double tick : linear.ticks) {
    CHECK(linear.place(tick) > -1e-9);
    CHECK(linear.place(tick) < 1 + 1e-9);
    CHECK(std::abs(tick * 20 - std::round(tick * 20)) < 1e-9);
  }
  CHECK(html::tick_label(linear, linear.ticks[1]).size() == 3);
  const auto log = axis_of({1e-4, 30});
  CHECK(log.is_log);
  CHECK(log.ticks.size() >= 3);
  CHECK(std::isnan(log.place(0)));
  CHECK(!axis_of({-1, 30}).is_log);
  CHECK(!axis_of({}).is_log);
  CHECK(!axis_of({0, 0}).is_log);
  for (const double bad : {0.0, 1.0, -5.0, 1e300, 1e-300}) {
    CAPTURE(bad);
    const auto flat = html::linear_axis(bad, bad, 6);
    CHECK(flat.high > flat.low);
    CHECK(!flat.ticks.empty());
  }
  CHECK(html::tick_label(html::step_axis(0, 100'000), 40'000) == "40k");
}

TEST_CASE("values of 0 leave an axis logarithmic, and the chart says where they are drawn") {
  html::Curve curve(4);
  for (std::int64_t step = 0; step < 8; ++step) curve.add(step, step == 2 ? 0 : std::pow(10, -step));
  html::Extent extent;
  extent.add(curve);
  html::Chart chart{.id = "loss",
                    .title = "",
                    .description = "",
                    .x_name = "step",
                    .x = html::step_axis(0, 7),
                    .y = html::value_axis(extent, 6),
                    .height = 100};
  CHECK(chart.y.is_log);
  CHECK(chart.y.low > 0);
  CHECK(chart.y.low < 1e-7);
  chart.lines.push_back({"each step", "raw", html::points_of(curve)});
  std::string page;
  html::append_chart(page, chart);
  CHECK(page.find("Values of 0 are drawn at the lower edge") != std::string::npos);
  for (html::Point& point : chart.lines[0].points) point.low = point.high;
  page.clear();
  html::append_chart(page, chart);
  CHECK(page.find("Values of 0") == std::string::npos);
}

TEST_CASE("labels that would overlap are moved apart and stay within the chart") {
  const auto places = html::spread({50, 50, 51, 99}, 15, 0, 100);
  auto sorted = places;
  std::ranges::sort(sorted);
  for (std::size_t i = 1; i < sorted.size(); ++i) CHECK(sorted[i] - sorted[i - 1] >= 15 - 1e-9);
  CHECK(sorted.front() >= 0);
  CHECK(sorted.back() <= 100);
}

TEST_CASE("text of a page is escaped, and control characters are written out") {
  CHECK(html::escaped("<script>alert('1') & \"2\"</script>") ==
        "&lt;script&gt;alert(&#39;1&#39;) &amp; &quot;2&quot;&lt;/script&gt;");
  CHECK(html::escaped("caf\u00e9") == "caf\u00e9");
  CHECK(html::escaped(std::string_view("a\0b\x1b", 4)) == "a\\x00b\\x1b");
  CHECK(html::escaped("\xff<") == "\\xff&lt;");
  CHECK(html::shortened("abcdef", 4) == "abc\u2026");
  CHECK(html::shortened("\u00e9\u00e9\u00e9\u00e9", 4) == "\u00e9\u00e9\u00e9\u00e9");
}

TEST_CASE("lines of metrics.csv that are malformed are refused") {
  html::MetricRow row;
  CHECK(html::parse_metric_row("100,2,\"val_a,\"\"b\"\"\",0.5", row));
  CHECK(row.step == 100);
  CHECK(row.epoch == 2);
  CHECK(row.name == "val_a,\"b\"");
  CHECK(row.value == 0.5);
  CHECK(html::parse_metric_row("1,1,loss,nan", row));
  for (const char* line : {"", "1", "1,2", "1,2,x", "1,2,x,", "1,2,,3", "-1,2,x,3", "1,2,\"x,3", "1,2,\"x\"y,3",
                           "a,2,x,3", "1,2,x,3,4", "1,2,x,3 ", "99999999999999999999,1,x,1"}) {
    CAPTURE(line);
    CHECK(!html::parse_metric_row(line, row));
  }
}
