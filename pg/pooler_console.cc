#include "pg/pooler_console.h"

#include <libpq-fe.h>

namespace pgteal::pg {

bool IsPaused(Connection& console, const std::string& database) {
  const auto databases = console.Exec("SHOW DATABASES");
  const int name = PQfnumber(databases.get(), "name");
  const int paused = PQfnumber(databases.get(), "paused");
  if (name < 0 || paused < 0) return false;
  for (int i = 0; i < databases.rows(); ++i) {
    if (databases.Text(i, name) == database) return databases.Int(i, paused) != 0;
  }
  return false;
}

}  // namespace pgteal::pg
