#include "applier/conflict.h"

#include "applier/encoder.h"

namespace pgteal::applier {
namespace {

constexpr pg::Oid kText{25};

decoder::ColumnValue TextValue(std::string_view text) {
  return {.data = text.data(),
          .size = static_cast<uint32_t>(text.size()),
          .kind = decoder::ValueKind::kText};
}

}  // namespace

void SendConflict(pg::Pipelined& pipelined, const std::string& slot, const ChangeOrigin& origin,
                  const Conflict& conflict) {
  const auto& columns = conflict.target->source->columns;
  ArrayEncoder names(kText);
  ArrayEncoder values(kText);
  names.Start(columns.size());
  values.Start(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    names.Add(TextValue(columns[i].name));
    const auto& value = conflict.row[i];
    values.Add(value.is_unchanged() ? decoder::ColumnValue{} : value);
  }
  const std::string end_lsn = origin.end_lsn.ToString();
  const std::string xid = std::to_string(origin.xid.value);
  const std::string relation = conflict.target->DisplayName();
  const std::string operation(conflict.operation);
  const std::string resolution(conflict.resolution);
  pg::Params params;
  params.AddText(slot);
  params.AddText(end_lsn);
  params.AddText(xid);
  params.AddText(relation);
  params.AddText(operation);
  params.AddText(conflict.reason);
  params.AddText(resolution);
  params.AddBinary(names.Finish());
  params.AddBinary(values.Finish());
  pipelined.SendSql(
      "INSERT INTO pgteal.conflict (slot, end_lsn, xid, relation, operation, reason, resolution, "
      "row_data) SELECT $1, $2, $3, $4, $5, $6, $7,"
      " pg_catalog.jsonb_object($8::pg_catalog.text[], $9::pg_catalog.text[])",
      params);
}

}  // namespace pgteal::applier
