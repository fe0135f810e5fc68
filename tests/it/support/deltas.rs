//! What a client does with what changed.

use serde_json::Value;

/// Applies deltas as a client does: set, delete, and the length of arrays.
#[track_caller]
pub fn apply(body: &mut Value, records: &Value) {
    for record in records.as_array().expect("records") {
        let path = record["path"].as_array().expect("a path");
        let (last, parents) = path.split_last().expect("a key");
        let key = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        let parent = parents.iter().fold(&mut *body, |at, part| match at {
            Value::Array(list) => &mut list[key(part).parse::<usize>().expect("an index")],
            other => &mut other[key(part)],
        });
        match (parent, key(last)) {
            (Value::Array(list), key) if key == "length" => {
                list.resize(record["value"].as_u64().expect("a length") as usize, Value::Null);
            }
            (Value::Array(list), key) => {
                let index: usize = key.parse().expect("an index");
                if index >= list.len() {
                    list.resize(index + 1, Value::Null);
                }
                list[index] = record["value"].clone();
            }
            (Value::Object(map), key) if record["type"] == "delete" => {
                map.remove(&key);
            }
            (parent, key) => parent[key] = record["value"].clone(),
        }
    }
}
