#ifndef PGTEAL_PG_CONNINFO_H_
#define PGTEAL_PG_CONNINFO_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgteal::pg {

// A parsed libpq connection string (keyword/value or URI). Every libpq option passes through,
// TLS among them; defaults (PGHOST, service files, .pgpass) are resolved by libpq at connect time.
class ConnInfo {
 public:
  // Throws ConfigError with libpq's reason, without echoing the string, which may hold a password.
  static ConnInfo Parse(const std::string& text);

  // The value of a keyword ("dbname"), or empty.
  std::string Get(std::string_view keyword) const;
  void Set(std::string_view keyword, std::string value);
  void SetDefault(std::string_view keyword, std::string value);

  const std::vector<std::pair<std::string, std::string>>& settings() const { return settings_; }
  // "host=h port=p dbname=d user=u": what may be logged.
  std::string Describe() const;

 private:
  std::vector<std::pair<std::string, std::string>> settings_;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_CONNINFO_H_
