"""The op table: every primitive once, by family.  `row` says what a row holds; `TABLE` has them all by name.

columns  <-  row  <-  words  <-  choice  <-  piecewise  <-  arithmetic  <-  powers  <-  trigonometry  <-  special  <-
activations  <-  reductions;  numerics  what `math` lacks;  operators  + - * / for all that rows are applied to

A row is public under the name that its family binds it to, here and in `autograd_lite`: there is no second list.
"""

from .activations import *
from .arithmetic import *
from .choice import *
from .columns import REAL as REAL
from .columns import Interval as Interval
from .columns import Kink as Kink
from .columns import Pin as Pin
from .piecewise import *
from .powers import *
from .reductions import *
from .row import PUBLIC as PUBLIC
from .row import TABLE as TABLE
from .row import Op as Op
from .special import *
from .trigonometry import *

globals()["__all__"] = sorted({"Op", *PUBLIC})  # not written out: a type checker takes all names above
