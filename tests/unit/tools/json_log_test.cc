#include "tools/cli/json_log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace pgteal::tools {
namespace {

TEST(JsonLog, EveryMessageIsOneValidObject) {
  const char* messages[] = {"plain", "slot \"pgteal\" is active", "a \\ and\na new line",
                            "\xff\x01"};
  for (const char* message : messages) {
    std::ostringstream out;
    spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_st>(out));
    logger.set_formatter(JsonLogFormatter());
    logger.warn("{}", message);
    const std::string text = out.str();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    const auto line = nlohmann::json::parse(text);
    EXPECT_EQ(line["level"], "warning");
    if (message[0] != '\xff') {
      EXPECT_EQ(line["message"], message);
    }
  }
}

}  // namespace
}  // namespace pgteal::tools
