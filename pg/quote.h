#ifndef PGTEAL_PG_QUOTE_H_
#define PGTEAL_PG_QUOTE_H_

#include <string>
#include <string_view>
#include <vector>

namespace pgteal::pg {

// The one place where names and strings become SQL. Always quoted, so that keywords, capitals, dots
// and quotes need no thought. Text must be valid in the session's client_encoding (UTF8).

// foo"bar -> "foo""bar"
std::string QuoteIdentifier(std::string_view name);
// public, t -> "public"."t"
std::string QuoteQualified(std::string_view schema, std::string_view name);
// it's \ -> 'it''s \'; with a backslash the E'' form, so that standard_conforming_strings does not
// matter. Throws ConfigError on a NUL byte.
std::string QuoteLiteral(std::string_view text);
// a, b"c -> {"a","b\"c"}: a parameter of type text[].
std::string ArrayLiteral(const std::vector<std::string>& values);

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_QUOTE_H_
