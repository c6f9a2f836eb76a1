#include "tools/cli/json_log.h"

#include <spdlog/pattern_formatter.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tools/cli/json_text.h"

namespace pgteal::tools {
namespace {

// The flag %J: the message as a JSON string, quotes included.
class JsonMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text =
        JsonText(nlohmann::json(std::string(message.payload.data(), message.payload.size())));
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessage>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> JsonLogFormatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<JsonMessage>('J').set_pattern(
      R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":%J})");
  return formatter;
}

}  // namespace pgteal::tools
