//! Which sockets go on. Starts nothing.

use super::*;

#[test]
fn only_what_nobody_listens_on_any_more_is_closed() {
    use Listening::{Ends, GoesOn};
    // two fronts; the second address has more sockets than the two threads
    let sockets = [vec![2, 3], vec![2]];
    let of = |thread: usize, scope| listening(&sockets, |socket| socket % 2 == thread, scope, &[1]);
    assert_eq!(
        of(0, Scope::Gateway),
        [vec![GoesOn, Ends, Ends], vec![GoesOn]]
    );
    assert_eq!(of(1, Scope::Gateway), [vec![GoesOn, Ends], vec![GoesOn]]);
    assert_eq!(of(1, Scope::Instance), [vec![Ends, Ends], vec![Ends]]);
}
