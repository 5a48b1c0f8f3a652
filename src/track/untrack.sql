{drop}{revoke}SET LOCAL ROLE gesta_owner;
DROP FUNCTION {function}();
SET LOCAL ROLE {operator};
