//! The room itself, with a hostile engine in it: what opens, what does not, and how it ends.

mod fixture;

use chrysalis_wire::room::Walls;

#[test]
fn look() {
    let Some(engine) = fixture::engine() else {
        return;
    };
    for walls in [Walls::Native, Walls::Python] {
        let secret = engine.path("model");
        let me = std::process::id().to_string();
        let room = engine.walled(&engine.plan(walls, &["doors", &secret, &me, "22", "x"]));
        println!("{walls:?}\n{}", room.words());
    }
}
