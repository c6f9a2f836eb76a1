#ifndef PGTEAL_TOOLS_INSPECT_CHANGE_JSON_H_
#define PGTEAL_TOOLS_INSPECT_CHANGE_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "decoder/change.h"
#include "decoder/transaction.h"

namespace pgteal::tools {

// Members keep the order they were added in: that of the columns.
using Json = nlohmann::ordered_json;

// Text is a string, null is null. What JSON cannot say is an object with one member: binary
// {"hex": …}, text that is not UTF-8 {"text_hex": …}, an unchanged TOAST value that blue did not
// send {"unchanged": true}. Nothing is ever replaced in a value.
Json ValueJson(const decoder::ColumnValue& value);

// {"kind": "update", "lsn": …, "schema": …, "table": …, "key" or "old": {…}, "new": {…}}
Json ChangeJson(const decoder::Change& change);

// The same on one line for people: update public.t key (id="1") new (id="2", v=null)
std::string ChangeText(const decoder::Change& change);

Json BeginJson(const decoder::Transaction& transaction);
std::string BeginText(const decoder::Transaction& transaction);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_INSPECT_CHANGE_JSON_H_
